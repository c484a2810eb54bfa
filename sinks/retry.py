"""How long to wait before trying again: longer each time, bounded, and spread by chance."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator


class Interrupted(Exception):
    """Told to stop in the middle of a chunk or a recovery: commit nothing, recovery settles it."""


def delays(
    chances: Iterator[float], first_seconds: float = 0.2, most_seconds: float = 5.0
) -> Iterator[float]:
    """Waits without end. `chances` are uniform in [0, 1): without them all would come at once."""
    base = first_seconds
    for chance in chances:
        yield base * (0.5 + chance)
        base = min(most_seconds, base * 2)


def chances() -> Iterator[float]:
    """Of a process: uniform in [0, 1), without end."""
    return (random.random() for _ in itertools.repeat(None))  # noqa: S311  # spreads retries


class Patience:
    """The waits of one partition's work: each trouble begins with short ones, a stop ends them."""

    def __init__(self, chances: Iterator[float]) -> None:
        self._chances = chances
        self._stopped = asyncio.Event()

    def waits(self) -> Iterator[float]:
        """The waits of one trouble."""
        return delays(self._chances)

    def stop(self) -> None:
        self._stopped.set()

    async def sleep(self, seconds: float) -> None:
        """Raises Interrupted when told to stop, before or meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return
        raise Interrupted
