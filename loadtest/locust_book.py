"""The ledger's file for phones that are gevent's: synced in a thread, for all who wait at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gevent import get_hub
from gevent.lock import RLock

from loadtest.ledger import Entry
from loadtest.ledger_file import LedgerFile


class LocustBook:
    """A `LedgerFile`, or nothing where no ledger is kept. Raises OSError."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else LedgerFile(path)
        self._lock = RLock()

    def add(self, entries: Iterable[Entry]) -> None:
        if self._file is not None:
            self._file.append(entries)

    def settle(self) -> None:
        """Return when every entry added so far is on disk."""
        if self._file is None:
            return
        wanted = self._file.appended
        with self._lock:
            if not self._file.is_synced(wanted):
                self._file.commit(_in_a_thread)


def _in_a_thread(write: Callable[[bytes], None], lines: bytes) -> None:
    get_hub().threadpool.apply(write, (lines,))
