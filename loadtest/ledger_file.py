"""A ledger on disk: JSON lines that are only ever appended, and synced for all who wait at once.

A phone settles the file before each POST. What a POST may bring about is then on disk before it
happens, and so is every earlier answer of that phone: whatever moment the process or the machine
dies at, nothing can be found later that the file does not know of.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from loadtest.ledger import Entry

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)
_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class LedgerFile:
    """Appends to `path`; what an earlier run left there stays, but for a torn last line.

    A commit has three steps, so that only the middle one, which blocks, leaves the thread of the
    phones: `take`, `write`, `committed`. One commit runs at a time. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._file, _end_of_last_line(self._file))
        self._waiting: list[Entry] = []
        self._appended = 0
        self._synced = 0
        self._lock = asyncio.Lock()

    @property
    def appended(self) -> int:
        """Entries taken so far."""
        return self._appended

    def append(self, entries: Iterable[Entry]) -> None:
        before = len(self._waiting)
        self._waiting += entries
        self._appended += len(self._waiting) - before

    def is_synced(self, entries: int) -> bool:
        """Whether the first `entries` are on disk."""
        return self._synced >= entries

    def commit(self, run: Callable[[Callable[[bytes], None], bytes], None]) -> None:
        """Put everything that waits on disk; `run` calls the writing where it may block."""
        lines, count = self._take()
        run(self._write, lines)
        self._synced = count

    async def settle(self) -> None:
        wanted = self._appended
        async with self._lock:
            if not self.is_synced(wanted):
                lines, count = self._take()
                await asyncio.to_thread(self._write, lines)
                self._synced = count

    def close(self) -> None:
        """Write what still waits, and close."""
        try:
            self.commit(lambda write, lines: write(lines))
        finally:
            os.close(self._file)

    def _take(self) -> tuple[bytes, int]:
        taken, self._waiting = self._waiting, []
        return b"".join(_encoder.encode(one) + b"\n" for one in taken), self._appended

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        _sync(self._file)


def read_entries(
    path: Path, on_bytes: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[Entry, bytes]]:
    """Each entry and its line; a torn last line is cut. `on_bytes` hears of each line's length.

    Raises OSError, and msgspec.DecodeError on any other line that is no entry.
    """
    with path.open("rb") as file:
        for line in file:
            on_bytes(len(line))
            if not line.endswith(b"\n"):
                return
            yield _decoder.decode(line), line


def _end_of_last_line(file: int) -> int:
    """The file's length without a torn last line."""
    end = os.lseek(file, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
