"""The list of images of a prediction run, written once so that every process reads the same."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from xray.files import replacing
from xray.prediction.reader import Paths

COLUMN = "path"


def write_inputs(file: Path, paths: Iterable[Path]) -> tuple[int, str]:
    """Write the distinct paths to a CSV file, one at a time.

    Args:
        file: The file, written atomically.
        paths: Paths; repeated ones are written once.

    Returns:
        The number of paths, and the SHA-256 of their list in hex.
    """
    count, digest = 0, hashlib.sha256()
    with (
        replacing(file) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow([COLUMN])
        for path in distinct(paths):
            writer.writerow([path])
            digest.update(f"{path}\n".encode(errors="surrogateescape"))
            count += 1
    return count, digest.hexdigest()


def distinct(paths: Iterable[Path]) -> Iterator[Path]:
    """Drop repeated paths; 16 bytes of a hash are kept per path."""
    seen: set[bytes] = set()
    for path in paths:
        key = hashlib.blake2b(str(path).encode(errors="surrogateescape"), digest_size=16).digest()
        if key not in seen:
            seen.add(key)
            yield path


def read_inputs(file: Path, start: int = 0) -> Iterator[Path]:
    """Read the paths of `write_inputs`, one at a time.

    Args:
        file: The file.
        start: Number of paths to skip.
    """
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        for row in islice(csv.reader(stream), 1 + start, None):
            yield Path(row[0])


def inputs_from(file: Path, start: int) -> Paths:
    """Return a function that lists the paths from a position, in any process."""
    return partial(read_inputs, file, start)
