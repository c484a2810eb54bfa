"""So many a second for each name: a bucket of tokens per address or device, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict

BURST_SECONDS = 10.0
MAX_NAMES = 50_000  # about 10 MB; beyond it those that were quiet longest are forgotten


class Rates:
    """Buckets that hold ten seconds' worth of tokens, at least one.

    One number stands for a bucket: when it will be full again. A name that nobody remembers has a
    full one, so what is forgotten is at worst let through again.
    """

    def __init__(self, per_second: float, max_names: int = MAX_NAMES) -> None:
        self._interval = 1 / per_second
        self._room = max(BURST_SECONDS, self._interval)  # seconds until an empty bucket is full
        self._max_names = max_names
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def has(self, name: str, now_seconds: float) -> bool:
        """Whether there is a token; none is taken."""
        full_at = max(self._full_at.get(name, 0.0), now_seconds)
        # a sum of many intervals is off by rounding: a microsecond of grace
        return full_at + self._interval <= now_seconds + self._room + 1e-6

    def take(self, name: str, now_seconds: float) -> bool:
        """Take a token; False when there is none."""
        if not self.has(name, now_seconds):
            return False
        full_at = max(self._full_at.get(name, 0.0), now_seconds)
        self._full_at[name] = full_at + self._interval
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._max_names:
            self._full_at.popitem(last=False)
        return True

    def __len__(self) -> int:
        return len(self._full_at)
