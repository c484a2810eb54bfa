"""What hot devices do: bugs in a loop, each a thousand events a second, on partitions by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

HOT_PER_SECOND = 1000.0  # events of one such device
TRIALS = 400


class Hot(Struct, frozen=True):
    """The fullest partition with so many hot devices, on average over trials."""

    devices: int
    partitions: int
    per_second: float  # its events


def fullest(devices: int, partitions: int, base: float, seed: int) -> Hot:
    """`base`: events a second of a partition without them."""
    chance = np.random.default_rng((seed, devices, partitions))
    held = chance.multinomial(devices, np.full(partitions, 1 / partitions), TRIALS)
    return Hot(devices, partitions, base + HOT_PER_SECOND * float(held.max(axis=1).mean()))


def curve(
    counts: Sequence[int], partitions: int, total: float, seed: int
) -> list[tuple[float, float]]:
    """Hot devices, and what the fullest of so many partitions takes then."""
    return [
        (count, fullest(count, partitions, total / partitions, seed).per_second) for count in counts
    ]


def window_seconds(offsets: float, base: float, hot: int) -> float:
    """What a window of ids still spans in a partition with so many hot devices."""
    return offsets / (base + hot * HOT_PER_SECOND)
