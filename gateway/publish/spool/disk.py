"""The spool's disk work, in one thread: group commits, reads, and how much room is left."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from gateway.publish.spool.lane_log import LaneLog

log = logging.getLogger(__name__)

T = TypeVar("T")

SYNC_THREADS = 4


class Written(Struct, frozen=True):
    """How one lane's part of a commit ended."""

    bytes: int  # in the log
    error: str = ""


class Disk:
    """One thread for all logs, so that no two touch one at once; syncs run side by side."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._syncs = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="spool-sync")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, which may block."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def commit(self, work: Sequence[tuple[LaneLog, Sequence[bytes]]]) -> list[Written]:
        """Write each log's entries and sync them all; no entry is safe where there is an error."""
        return await self.run(lambda: self._commit(work))

    def lack(self) -> str | None:
        """Why nothing should be written; None when there is room."""
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            return f"the spool's disk failed: {error.strerror}"
        lacks = disk.f_bavail * disk.f_frsize < self._min_free_bytes
        return "the spool's disk has too little free space" if lacks else None

    def close(self) -> None:
        self._thread.shutdown()
        self._syncs.shutdown()

    def _commit(self, work: Sequence[tuple[LaneLog, Sequence[bytes]]]) -> list[Written]:
        errors = [_attempt(partial(lane_log.write, entries)) for lane_log, entries in work]
        written = [one for (one, _), error in zip(work, errors, strict=True) if not error]
        synced = iter(self._syncs.map(lambda one: _attempt(one.sync), written))
        errors = [error or next(synced) for error in errors]
        for (lane_log, _), error in zip(work, errors, strict=True):
            if error:
                also = _attempt(lane_log.close_segment)
                log.error("the spool's disk failed: %s %s", error, also)
        return [
            Written(lane_log.left, error) for (lane_log, _), error in zip(work, errors, strict=True)
        ]


def _attempt(work: Callable[[], None]) -> str:
    """What went wrong with the disk; empty: nothing."""
    try:
        work()
    except OSError as error:
        return error.strerror or str(error)
    return ""
