"""An entry while it is computed: interrupted work is continued."""

import json
import os
import time
from contextlib import suppress
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xray.caching.entry import Entry
from xray.caching.folder import CacheUnusableError, unwritable
from xray.caching.key import Plan
from xray.caching.record import Record, Stored, checksum

FLUSH_SECONDS = 2.0
"""Seconds of work that a killed process loses at most."""
STORED: dict[torch.dtype, np.dtype[Any]] = {
    # NumPy has no bfloat16: the bits are stored.
    torch.bfloat16: np.dtype(np.uint16),
    torch.float16: np.dtype(np.float16),
    torch.float32: np.dtype(np.float32),
    torch.uint8: np.dtype(np.uint8),
}
"""Type of a tensor -> type on disk."""


def to_stored(batch: Tensor, dtype: torch.dtype) -> NDArray[Any]:
    """Arrange a batch as it is stored: (B, C, h, w) as (B, h, w, C), other shapes unchanged.

    The network computes and reads activations in this memory layout, so neither way is a copy.
    """
    rows = batch.to(dtype)
    rows = (rows.permute(0, 2, 3, 1) if rows.ndim == 4 else rows).contiguous().cpu()  # noqa: PLR2004
    bits: NDArray[Any] = (rows.view(torch.uint16) if dtype == torch.bfloat16 else rows).numpy()
    return bits


class Part:
    """An entry that is filled block by block, with a journal of the finished blocks.

    The journal names a block and its checksum only after the block is on disk. When the work is
    continued, a block counts only if its checksum is correct. The caller must hold the entry's
    lock.

    Args:
        entry: The entry to fill.
        plan: Description of its content.
        block: Rows in a block; a row is one image of one view.

    Attributes:
        done: Number of a finished block -> its checksum.

    Raises:
        CacheUnusableError: By every method, if the files cannot be written; they are then removed.
    """

    def __init__(self, entry: Entry, plan: Plan, block: int) -> None:
        self.entry, self.plan, self.block = entry, plan, block
        self.rows = plan.shape[0] * plan.shape[1]
        self._header = {"description": plan.description, "block": block}
        self.done: dict[int, int] = {}
        self._files: list[IO[Any]] = []
        self._journaled = 0
        self._flushed = time.monotonic()
        try:
            self._open()
        except OSError as error:
            raise self._abandon(error) from error

    def _open(self) -> None:
        previous = self._read_journal()
        if previous is None or not self._usable_file():
            np.lib.format.open_memmap(
                self.entry.part, "w+", STORED[self.plan.dtype], self.plan.shape
            )
            previous = {}
        mapped: np.memmap[Any, Any] = np.lib.format.open_memmap(self.entry.part, "r")
        stored = mapped.reshape(self.rows, *self.plan.shape[2:])
        for number, crc in previous.items():
            first, last = self.span(number)
            if checksum(stored[first:last]) == crc:
                self.done[number] = crc
        self._offset, self._row_bytes = mapped.offset, mapped.nbytes // max(1, self.rows)
        self._write_journal()
        # Written as a file, not as a memory map: a full disk then raises an error, not a SIGBUS.
        self._file = self.entry.part.open("r+b")
        self._lines = self.entry.journal.open("a", encoding="ascii")
        self._files += [self._file, self._lines]

    def _read_journal(self) -> dict[int, int] | None:
        """Read the checksums of finished blocks; None if the part belongs to another plan."""
        try:
            text = self.entry.journal.read_text(encoding="utf-8")
            header, *lines = text.split("\n")
            if json.loads(header) != self._header:
                return None
            # Text after the last line end is a line that was not written completely.
            pairs = [tuple(map(int, line.split())) for line in lines[:-1]]
            return {n: crc for n, crc in pairs if 0 <= n * self.block < self.rows}
        except (OSError, ValueError):
            return None

    def _usable_file(self) -> bool:
        try:
            array: Stored = np.lib.format.open_memmap(self.entry.part, "r")
        except (OSError, ValueError):
            return False
        return array.shape == self.plan.shape and array.dtype == STORED[self.plan.dtype]

    def _write_journal(self) -> None:
        lines = [json.dumps(self._header), *(f"{n} {crc}" for n, crc in self.done.items())]
        new = self.entry.journal.with_suffix(".journal.new")
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.replace(self.entry.journal)
        self._journaled = len(self.done)

    def span(self, number: int) -> tuple[int, int]:
        """Return the first row of a block, and the row after its last."""
        return number * self.block, min((number + 1) * self.block, self.rows)

    def missing(self) -> list[int]:
        """List the blocks that are not computed yet."""
        return [n for n in range(-(-self.rows // self.block)) if n not in self.done]

    def write(self, number: int, rows: Tensor) -> None:
        """Store a block.

        Args:
            number: Number of the block.
            rows: Activations, (rows, C, h, w) or (rows, 2 C); or pixels, (rows, H, W).
        """
        stored = to_stored(rows, self.plan.dtype)
        try:
            self._file.seek(self._offset + self.span(number)[0] * self._row_bytes)
            self._file.write(stored.data.cast("B"))
            self.done[number] = checksum(stored)
            if time.monotonic() - self._flushed >= FLUSH_SECONDS:
                self._flush()
        except OSError as error:
            raise self._abandon(error) from error

    def _flush(self) -> None:
        """Write everything to disk, then add the new blocks to the journal."""
        self._file.flush()
        os.fsync(self._file.fileno())
        new = list(self.done.items())[self._journaled :]
        self._lines.write("".join(f"{number} {crc}\n" for number, crc in new))
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._journaled, self._flushed = len(self.done), time.monotonic()

    def close(self) -> None:
        """Flush and close the files, so that a later process can continue."""
        if self._file.closed:
            return
        try:
            self._flush()
            self._file.close()
            self._lines.close()
        except OSError as error:
            raise self._abandon(error) from error

    def finish(self) -> None:
        """Write the record and rename the finished part."""
        self.close()
        crc = tuple(self.done[number] for number in sorted(self.done))
        dtype = str(STORED[self.plan.dtype])
        record = Record(self.plan.description, self.plan.shape, dtype, self.block, crc)
        try:
            record.write(self.entry.record)
            self.entry.part.replace(self.entry.array)
            self.entry.journal.unlink()
        except OSError as error:
            raise self._abandon(error) from error

    def _abandon(self, error: OSError) -> CacheUnusableError:
        """Remove the files: a run on a full disk needs the space for its checkpoints."""
        for file in self._files:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            self.entry.remove()
        return unwritable(self.entry.part, error)
