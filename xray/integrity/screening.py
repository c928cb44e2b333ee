"""Screen a set of files: fingerprints and duplicates, stored between runs."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xray.imaging.read import read_image
from xray.integrity.clusters import cluster
from xray.integrity.duplicates import CANDIDATE, CONFIRMED, MOVED, Pair, find_duplicates
from xray.integrity.index import ROW, Index, index_files, store_name
from xray.integrity.memo import memoize


@dataclass(frozen=True, eq=False)
class Screening:
    """Fingerprints and duplicates of N files.

    Attributes:
        index: Fingerprints.
        pairs: Pairs that show the same radiograph.
        audited: Whether the files were searched for duplicates.
    """

    index: Index
    pairs: list[Pair]
    audited: bool = True

    def clusters(self, owners: Sequence[str]) -> NDArray[np.int64]:
        """Assign images of one owner or one radiograph to clusters, see `clusters.cluster`.

        Args:
            owners: Owner of each of the N files, usually its patient.
        """
        return cluster(owners, [(pair.first, pair.second) for pair in self.pairs])

    def only(self, positions: Sequence[int]) -> "Screening":
        """Return the screening of the files at some positions, in that order."""
        place = {old: new for new, old in enumerate(positions)}
        index = Index(
            paths=[self.index.paths[i] for i in positions],
            rows=self.index.rows[list(positions)],
            problems={place[i]: e for i, e in self.index.problems.items() if i in place},
            digest=self.index.digest,
        )
        pairs = [
            replace(pair, first=place[pair.first], second=place[pair.second])
            for pair in self.pairs
            if pair.first in place and pair.second in place
        ]
        return replace(self, index=index, pairs=pairs)


def unscreened(paths: Sequence[Path]) -> Screening:
    """Return an empty screening for files that were not searched for duplicates."""
    return Screening(Index(paths, np.zeros(len(paths), ROW), {}, ""), [], audited=False)


def screen(paths: Sequence[Path], root: Path, folder: Path | None) -> Screening:
    """Read all files and find those that show the same radiograph.

    Files whose path, size and modification time are unchanged are not read or compared again.

    Args:
        paths: Files, without repetition.
        root: Root of the dataset.
        folder: Folder for the stored results, two files per dataset; None stores nothing.
    """
    name = store_name(root)
    index = index_files(paths, folder / f"{name}.npz" if folder else None)
    key = {
        "files": index.digest,
        "usable": len(index.usable()),
        "limits": [CANDIDATE, CONFIRMED, MOVED],
    }
    pairs = memoize(
        folder / f"{name}_pairs.json" if folder else None,
        key,
        lambda: [astuple(pair) for pair in find_duplicates(index, lambda i: read_image(paths[i]))],
    )
    return Screening(index, [Pair(*pair) for pair in pairs])
