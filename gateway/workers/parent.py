"""Ending with the process that started this one, also when that one is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.workers.run_folder import RunFolder


class _Input(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.is_gone = False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        self._stop.set()


@asynccontextmanager
async def stopped_with_parent(stop: asyncio.Event, run: RunFolder) -> AsyncIterator[None]:
    """Set `stop` when standard input ends: the parent holds its other end and says nothing. Then
    nobody else clears the folder away."""
    loop = asyncio.get_running_loop()
    _, parent = await loop.connect_read_pipe(lambda: _Input(stop), sys.stdin)
    yield
    if parent.is_gone:
        run.remove()
