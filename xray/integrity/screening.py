"""What is known of a set of files: fingerprints and duplicates, kept between runs."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xray.imaging.read import read_image
from xray.integrity.clusters import cluster
from xray.integrity.duplicates import CANDIDATE, CONFIRMED, MOVED, Pair, find_duplicates
from xray.integrity.index import ROW, Index, index_files, store_name
from xray.integrity.memo import kept


@dataclass(frozen=True, eq=False)
class Screening:
    """What is known of N files.

    Attributes:
        index: Their fingerprints.
        pairs: Those that show one exposure.
        audited: Whether anybody looked at them.
    """

    index: Index
    pairs: list[Pair]
    audited: bool = True

    def clusters(self, owners: Sequence[str]) -> NDArray[np.int64]:
        """Number the clusters of images of one owner or one exposure, see `clusters.cluster`.

        Args:
            owners: Whose image each of the N files is.
        """
        return cluster(owners, [(pair.first, pair.second) for pair in self.pairs])

    def only(self, kept: Sequence[int]) -> "Screening":
        """Return what is known of the files at some positions, in that order."""
        place = {old: new for new, old in enumerate(kept)}
        index = Index(
            paths=[self.index.paths[i] for i in kept],
            rows=self.index.rows[list(kept)],
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
    """Give what is known of files that nobody looked at: nothing."""
    return Screening(Index(paths, np.zeros(len(paths), ROW), {}, ""), [], audited=False)


def screen(paths: Sequence[Path], root: Path, folder: Path | None) -> Screening:
    """Read files, all of them, and find those that show one exposure.

    Nothing is read or compared again while the files' paths, sizes and times of change stay as
    they were.

    Args:
        paths: The files, each once.
        root: The dataset they belong to.
        folder: Keeps what was found, a pair of files a dataset; None: nothing is kept.
    """
    name = store_name(root)
    index = index_files(paths, folder / f"{name}.npz" if folder else None)
    key = {
        "files": index.digest,
        "usable": len(index.usable()),
        "limits": [CANDIDATE, CONFIRMED, MOVED],
    }
    pairs = kept(
        folder / f"{name}_pairs.json" if folder else None,
        key,
        lambda: [astuple(pair) for pair in find_duplicates(index, lambda i: read_image(paths[i]))],
    )
    return Screening(index, [Pair(*pair) for pair in pairs])
