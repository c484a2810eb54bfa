"""A rest at chunk boundaries while rebuilt tables take the live ones' places.

A partition that rests says so in its commit: from then on it stores nothing until the pause is
over. A replay that dies in its pause cannot hold a sink: after LEASE_SECONDS the sink takes its
permit away, and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from sinks.sink import Retryable

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
LOOK_SECONDS = 1.0
LOOK_PAUSED_SECONDS = 0.2


class Pause(Struct, frozen=True):
    """A pause that somebody asked for."""

    id: str
    age_seconds: float


class Pauses(Protocol):
    """Where pauses are asked for."""

    async def current(self) -> Pause | None:
        """Raises Retryable, Misconfigured."""

    async def end(self, pause_id: str) -> None:
        """When it returns, nothing can happen any more in the name of this pause.

        Raises Retryable, Misconfigured.
        """


class Gate:
    """What all partitions of a process pass between two chunks."""

    def __init__(self, pauses: Pauses) -> None:
        self.pause: str | None = None  # the id of the one in force
        self.wakes: set[Callable[[], None]] = set()  # called when it changes
        self._pauses = pauses
        self._asking = asyncio.Lock()  # an older answer must not come after a newer one

    async def look(self) -> None:
        """Ask now. Raises Retryable, Misconfigured."""
        async with self._asking:
            found = await self._pauses.current()
            if found is not None and found.age_seconds >= LEASE_SECONDS:
                log.warning("the pause of replay %s is over its time: going on", found.id)
                await self._pauses.end(found.id)
                found = None
            before, self.pause = self.pause, None if found is None else found.id
            if self.pause != before:
                for wake in self.wakes:
                    wake()

    async def watch(self) -> None:
        """Look again and again; a server that does not answer leaves things as they are.

        Raises Misconfigured.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS if self.pause is None else LOOK_PAUSED_SECONDS)
            try:
                await self.look()
            except Retryable as error:
                log.warning("whether to pause is not known: %s", error)
