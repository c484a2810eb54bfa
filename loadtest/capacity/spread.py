"""How evenly devices load partitions: every device's key is hashed, every device has an activity.

Activities are lognormal with mean 1: most devices do little and a few do much. With sigma 1.5 a
hundredth of the devices have a fifth of all events.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from loadtest.capacity.keys import device_keys, slots_of

SLOTS = 12 * 1024  # every number of partitions that is looked at divides it
BATCH = 1 << 17  # devices hashed at a time: bounds the memory, and stays in the caches
SIGMA = 1.5

Loads = NDArray[np.float64]


class Evenness(Struct, frozen=True):
    """The load of the fullest partition against the mean one."""

    devices: int
    partitions: int
    fullest: float
    expected: float  # by the formula


def loads(devices: Sequence[int], seed: int, sigma: float) -> Iterator[tuple[int, Loads]]:
    """After each batch how many devices there are and the load of each slot; `devices` are the
    ascending numbers at which a batch ends. Every array is the same one, growing."""
    slots = np.zeros(SLOTS)
    first = 0
    for end in devices:
        while first < end:
            count = min(BATCH, end - first)
            chance = np.random.default_rng((seed, first))
            activity = chance.lognormal(-(sigma**2) / 2, sigma, count)
            places = slots_of(device_keys(first, count, seed), SLOTS)
            slots += np.bincount(places, activity, SLOTS)
            first += count
            yield first, slots


def of_partitions(slots: Loads, partitions: int) -> Loads:
    """The load of each partition: slots that are the same modulo their number lie in one."""
    return np.asarray(slots.reshape(-1, partitions).sum(axis=0))


def evenness(devices: int, slots: Loads, partitions: int, sigma: float) -> Evenness:
    """What came of it, beside what the formula says."""
    found = of_partitions(slots, partitions)
    return Evenness(
        devices=devices,
        partitions=partitions,
        fullest=float(found.max() / found.mean()),
        expected=expected_fullest(devices, partitions, sigma),
    )


def expected_fullest(devices: int, partitions: int, sigma: float) -> float:
    """Of so many nearly normal loads the greatest, in means: one standard deviation is
    sqrt(partitions / devices · exp(sigma²)) of a mean."""
    deviation = math.sqrt(partitions / devices * math.exp(sigma**2))
    return 1 + deviation * math.sqrt(2 * math.log(partitions))
