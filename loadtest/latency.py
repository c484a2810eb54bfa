"""Latencies counted in buckets that are 5% wide: small, and they add up over time and processes."""

from __future__ import annotations

import math
from collections.abc import Mapping

WIDTH = 1.05


def bucket_of(milliseconds: float) -> int:
    """The bucket that counts this latency; below 10 µs all are one."""
    return math.floor(math.log(max(milliseconds, 0.01), WIDTH))


def quantile(counts: Mapping[int, int], share: float) -> float:
    """The latency in ms below which a `share` (0 to 1) of all lie, true to 5%; 0 where there are
    none."""
    wanted, seen = share * sum(counts.values()), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return float(WIDTH ** (bucket + 0.5))
    return 0.0
