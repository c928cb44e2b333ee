"""An entry being computed: whoever stops goes on where it stopped."""

import json
import os
import time
from contextlib import suppress
from typing import IO, Any

import numpy as np
from torch import Tensor

from xray.caching.entry import Entry
from xray.caching.folder import CacheUnusableError, unwritable
from xray.caching.key import Plan
from xray.caching.record import Record, Stored, checksum
from xray.caching.store import STORED, to_stored

FLUSH_SECONDS = 2.0
"""What a killed process computed in this time is computed again."""


class Part:
    """An entry being filled, block by block, with a journal of the blocks that are done.

    The journal names a block, with its checksum, only after the block is on disk; and on resuming
    a block counts only where its checksum is right. To be made by the holder of the entry's lock.

    Args:
        entry: Where it goes.
        plan: What it will be.
        block: Rows a block; a row is one image of one view.

    Attributes:
        done: Block -> its checksum.

    Raises:
        CacheUnusableError: By every method, where the files cannot be written; they are then
            removed.
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
        # Written to as a file, not as a memory map: a full disk is then an error, not a SIGBUS.
        self._file = self.entry.part.open("r+b")
        self._lines = self.entry.journal.open("a", encoding="ascii")
        self._files += [self._file, self._lines]

    def _read_journal(self) -> dict[int, int] | None:
        """Read which blocks are said to be done; None where the part is not this plan's."""
        try:
            text = self.entry.journal.read_text(encoding="utf-8")
            header, *lines = text.split("\n")
            if json.loads(header) != self._header:
                return None
            # What follows the last line end is a line that was not written to its end.
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
        """Give the first row of a block, and the one behind its last."""
        return number * self.block, min((number + 1) * self.block, self.rows)

    def missing(self) -> list[int]:
        """List the blocks that are yet to be computed."""
        return [n for n in range(-(-self.rows // self.block)) if n not in self.done]

    def write(self, number: int, rows: Tensor) -> None:
        """Store a block.

        Args:
            number: Which.
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
        """Bring to disk what was written, then say so in the journal."""
        self._file.flush()
        os.fsync(self._file.fileno())
        new = list(self.done.items())[self._journaled :]
        self._lines.write("".join(f"{number} {crc}\n" for number, crc in new))
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._journaled, self._flushed = len(self.done), time.monotonic()

    def close(self) -> None:
        """Keep what is done, for a later process to go on from."""
        if self._file.closed:
            return
        try:
            self._flush()
            self._file.close()
            self._lines.close()
        except OSError as error:
            raise self._abandon(error) from error

    def finish(self) -> None:
        """Give the finished entry its name, with its record beside it."""
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
        """Give back the space: a run on a full disk needs it for its checkpoints."""
        for file in self._files:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            self.entry.remove()
        return unwritable(self.entry.part, error)
