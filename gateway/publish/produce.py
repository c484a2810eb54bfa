"""Produce requests and answers, version 7 of Kafka's protocol. Pure.

Version 7 is old enough for every broker since 2.1 and new enough for Kafka 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct as Layout
from struct import error as StructError

from msgspec import Struct

API_KEY, API_VERSION = 0, 7
ACKS_ALL = -1
CLIENT_ID = b"telemetry-gateway"

_head = Layout(f">hhih{len(CLIENT_ID)}s")
_int16, _int32 = Layout(">h"), Layout(">i")
_two_int32 = Layout(">ii")
_partition_answer = Layout(">ihqqq")  # index, error, base offset, append time, log start offset

Place = tuple[str, int]  # topic and partition
Batches = Mapping[str, Sequence[tuple[int, Sequence[bytes]]]]  # per topic: partition, its chunks


class Answer(Struct, frozen=True, gc=False):
    """What a broker says of one request."""

    correlation_id: int
    codes: dict[Place, int]
    throttle_ms: int


class Unreadable(Exception):
    """These bytes are no answer to a produce request."""


def request(correlation_id: int, timeout_ms: int, batches: Batches) -> list[bytes]:
    """The request as chunks to write, its length in front."""
    chunks = [
        _head.pack(API_KEY, API_VERSION, correlation_id, len(CLIENT_ID), CLIENT_ID)
        + _int16.pack(-1)  # no transactional id
        + _int16.pack(ACKS_ALL)
        + _two_int32.pack(timeout_ms, len(batches))
    ]
    for topic, partitions in batches.items():
        name = topic.encode()
        chunks.append(_int16.pack(len(name)) + name + _int32.pack(len(partitions)))
        for partition, batch in partitions:
            chunks.append(_two_int32.pack(partition, sum(map(len, batch))))
            chunks += batch
    return [_int32.pack(sum(map(len, chunks))), *chunks]


def read_answer(frame: bytes) -> Answer:
    """An answer without its length. Raises Unreadable."""
    try:
        (correlation_id,) = _int32.unpack_from(frame, 0)
        codes: dict[Place, int] = {}
        topics, position = _count(frame, 4)
        for _ in range(topics):
            (length,) = _int16.unpack_from(frame, position)
            position += 2
            topic = frame[position : position + length].decode()
            partitions, position = _count(frame, position + length)
            for _ in range(partitions):
                index, code, *_ = _partition_answer.unpack_from(frame, position)
                position += _partition_answer.size
                codes[topic, index] = code
        (throttle_ms,) = _int32.unpack_from(frame, position)
    except (StructError, UnicodeDecodeError) as error:
        raise Unreadable(f"no answer to a produce request: {error}") from None
    if position + 4 != len(frame):
        raise Unreadable(f"an answer of {len(frame)} bytes, {position + 4} expected")
    return Answer(correlation_id, codes, throttle_ms)


def _count(frame: bytes, position: int) -> tuple[int, int]:
    """An array's length, never more than its bytes could hold, and where it begins."""
    (count,) = _int32.unpack_from(frame, position)
    if not 0 <= count <= len(frame):
        raise Unreadable(f"an array of {count}")
    return count, position + 4
