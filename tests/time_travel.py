"""An event loop whose timers cost nothing: when nothing else is to be done, time jumps to the next.

Sockets of this process are looked at before each jump, so that what is on its way arrives first.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

GRACE_SECONDS = 0.005  # of real time, for bytes on loopback
T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0  # seconds that were skipped

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= GRACE_SECONDS:
            return super().select(timeout)
        before = time.monotonic()
        ready = super().select(GRACE_SECONDS)
        if not ready:
            self.ahead += max(0.0, timeout - (time.monotonic() - before))
        return ready


class TimeTravelLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skips = _Selector()
        super().__init__(self._skips)

    def time(self) -> float:
        return super().time() + self._skips.ahead


def travel(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on such a loop."""
    with asyncio.Runner(loop_factory=TimeTravelLoop) as runner:
        return runner.run(work)
