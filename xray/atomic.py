"""Files that are whole or not there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place; it takes its name when the block ends well.

    Args:
        path: Where the file goes; its folder is made.

    Yields:
        The file to write, hidden in the same folder. It is gone after the block in any case.

    Raises:
        OSError: The folder cannot be made, or the file cannot be put into its place.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
