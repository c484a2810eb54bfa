"""A broker's answers to produce requests, made up: each batch gets the same error."""

from __future__ import annotations

import threading
from struct import Struct as Layout

from tests.kafka_proxy import Refusal

_int16, _int32 = Layout(">h"), Layout(">i")
_partition = Layout(">ihqqq")  # index, error, base offset, append time, log start offset


class Refusals:
    """Answers the next produce requests with errors, one each; for `KafkaProxy.refuse`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, bool]] = []
        self.made = 0

    def add(self, code: int, *, is_written: bool) -> None:
        """One more; `is_written`: the broker gets the batches all the same."""
        with self._lock:
            self._waiting.append((code, is_written))

    def __call__(self, request: bytes) -> Refusal | None:
        with self._lock:
            if not self._waiting:
                return None
            code, is_written = self._waiting.pop(0)
            self.made += 1
        return Refusal(answer_of(request, code), is_written=is_written)


def answer_of(request: bytes, code: int) -> bytes:
    """The answer, version 7, that gives each batch of `request` this error code."""
    at = 8
    at += 2 + _int16.unpack_from(request, at)[0]  # client id
    at += 2 + max(0, _int16.unpack_from(request, at)[0])  # transactional id
    at += 6  # acks, timeout
    (topics,) = _int32.unpack_from(request, at)
    at += 4
    parts = [request[4:8], _int32.pack(topics)]
    for _ in range(topics):
        (length,) = _int16.unpack_from(request, at)
        name = request[at : at + 2 + length]
        at += 2 + length
        (partitions,) = _int32.unpack_from(request, at)
        at += 4
        parts += [name, _int32.pack(partitions)]
        for _ in range(partitions):
            (index,) = _int32.unpack_from(request, at)
            parts.append(_partition.pack(index, code, -1, -1, -1))
            at += 8 + _int32.unpack_from(request, at + 4)[0]
    return b"".join([*parts, _int32.pack(0)])
