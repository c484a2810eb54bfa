"""A thread that ends a process whose event loop stands still: whoever started it starts another.

It counts its own rounds instead of asking a clock, so that a process that was frozen as a whole
and goes on is not taken for a stuck one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
ROUNDS = 10  # without a beat
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


class Watchdog:
    """Counts the rounds in which the loop did not beat."""

    def __init__(self) -> None:
        self._beats = 0
        self._last = 0
        self._silent = 0

    def beat(self) -> None:
        """The loop is alive."""
        self._beats += 1

    def is_stuck(self) -> bool:
        """One round later: whether the loop has been silent for too many."""
        self._silent = self._silent + 1 if self._beats == self._last else 0
        self._last = self._beats
        return self._silent >= ROUNDS


def watch_loop() -> None:
    """Watch the running loop until the process ends."""
    loop = asyncio.get_running_loop()
    watchdog = Watchdog()

    def beat() -> None:
        watchdog.beat()
        loop.call_later(ROUND_SECONDS / 2, beat)

    beat()
    threading.Thread(target=_watch, args=(watchdog,), name="watchdog", daemon=True).start()


def _watch(watchdog: Watchdog) -> None:
    pause = threading.Event()
    while not watchdog.is_stuck():
        pause.wait(ROUND_SECONDS)
    log.critical("the event loop stands still for %g s: ending", ROUNDS * ROUND_SECONDS)
    os._exit(EXIT_CODE)
