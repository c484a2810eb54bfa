"""Where Kafka places many keys: murmur2 as `gateway.contract.record` has it, over arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint32]

KEY_BYTES = 36  # of a device id that is a UUID's text
_HEX = np.frombuffer(b"".join(b"%02x" % one for one in range(256)), "u1").reshape(256, 2)
_PLACES = [one for one in range(KEY_BYTES) if one not in (8, 13, 18, 23)]  # the others are hyphens
_M = np.uint32(0x5BD1E995)


def device_keys(first: int, count: int, seed: int) -> Bytes:
    """Keys of the devices [first, first + count), a row each; the same seed is the same keys."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    halves = np.empty((count, 2), ">u8")
    for column in range(2):
        halves[:, column] = _mixed(numbers * np.uint64(2) + np.uint64(column), seed)
    keys = np.full((count, KEY_BYTES), ord("-"), np.uint8)
    keys[:, _PLACES] = _HEX[halves.view(np.uint8)].reshape(count, 32)
    return keys


def murmur2_of(keys: Bytes) -> Words:
    """The hash of each row."""
    count, length = keys.shape
    whole = length & ~3
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4").T
    state = np.full(count, 0x9747B28C ^ length, np.uint32)
    for word in words:
        mixed = word * _M
        mixed ^= mixed >> np.uint32(24)
        mixed *= _M
        state *= _M
        state ^= mixed
    if length & 3:
        for place in range(length & 3):
            state ^= keys[:, whole + place].astype(np.uint32) << np.uint32(8 * place)
        state *= _M
    state ^= state >> np.uint32(13)
    state *= _M
    state ^= state >> np.uint32(15)
    return state


def slots_of(keys: Bytes, slots: int) -> NDArray[np.intp]:
    """The partition of each row, were there so many."""
    return (murmur2_of(keys) & np.uint32(0x7FFFFFFF)).astype(np.intp) % slots


def _mixed(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Numbers that have nothing of their order any more: splitmix64."""
    state = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ state >> np.uint64(31), np.uint64)
