"""What is known of a set of files: fingerprints and duplicates, kept between runs."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np

from xray.atomic import replacing
from xray.imaging.read import read_image
from xray.integrity.duplicates import CANDIDATE, CONFIRMED, Pair, find_duplicates
from xray.integrity.index import ROW, Index, index_files

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Screening:
    """What is known of N files.

    Attributes:
        index: Their fingerprints.
        pairs: Those that show one exposure.
    """

    index: Index
    pairs: list[Pair]

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
        return Screening(index, pairs)


def unscreened(paths: Sequence[Path]) -> Screening:
    """Give what is known of files that nobody looked at: nothing."""
    return Screening(Index(paths, np.zeros(len(paths), ROW), {}, ""), [])


def screen(paths: Sequence[Path], root: Path, folder: Path | None) -> Screening:
    """Read files, all of them, and find those that show one exposure.

    Nothing is read or compared again while the files' paths, sizes and times of change stay as
    they were.

    Args:
        paths: The files, each once.
        root: The dataset they belong to.
        folder: Keeps what was found, a pair of files a dataset; None: nothing is kept.
    """
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    index = index_files(paths, folder / f"{name}.npz" if folder else None)
    store = folder / f"{name}.json" if folder else None
    key = {"files": index.digest, "usable": len(index.usable()), "limits": [CANDIDATE, CONFIRMED]}
    pairs = _load(store, key) if store else None
    if pairs is None:
        pairs = find_duplicates(index, lambda i: read_image(paths[i]))
        if store:
            _save(store, key, pairs)
    return Screening(index, pairs)


def _load(store: Path, key: dict[str, object]) -> list[Pair] | None:
    try:
        saved = json.loads(store.read_text())
        if saved["key"] == key:
            return [Pair(*fields) for fields in saved["pairs"]]
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s): the images are compared anew", store, error)
    return None


def _save(store: Path, key: dict[str, object], pairs: list[Pair]) -> None:
    try:
        with replacing(store) as part:
            part.write_text(json.dumps({"key": key, "pairs": [astuple(pair) for pair in pairs]}))
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run compares anew", store, error)
