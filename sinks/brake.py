"""The brake: a flood of dead letters stops the sink before the first of them is written.

One poison record is put aside; a bad deploy must not be drained into the dead-letter topic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

WINDOW_RECORDS = 10_000


class Brake:
    """The outcomes of one partition's last records."""

    def __init__(self, dead_letters: int, percent: float) -> None:
        self._dead_letters = dead_letters
        self._percent = percent
        self._recent: deque[bool] = deque(maxlen=WINDOW_RECORDS)

    def judge(self, outcomes: Iterable[bool]) -> str | None:
        """Why to stop, if a chunk ends like this (True: a dead letter); None to go on.

        Changes nothing; `record` does.
        """
        recent = deque(self._recent, maxlen=WINDOW_RECORDS)
        run = 0
        for is_dead in reversed(recent):
            if not is_dead:
                break
            run += 1
        for is_dead in outcomes:
            recent.append(is_dead)
            run = run + 1 if is_dead else 0
            if run >= self._dead_letters:
                return f"{run} records in a row cannot be stored"
        dead = sum(recent)
        if dead >= self._dead_letters and 100 * dead > self._percent * len(recent):
            return f"{dead} of the last {len(recent)} records cannot be stored"
        return None

    def record(self, outcomes: Iterable[bool]) -> None:
        self._recent.extend(outcomes)
