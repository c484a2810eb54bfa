"""Record batches of format version 2, framed here so that a resend is the same bytes. Pure.

Source: the Kafka protocol guide, "Record Batch". Lengths and deltas of a record are zigzag
varints; the checksum is CRC-32C over everything from the attributes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout

import google_crc32c
from msgspec import Struct

from gateway.contract.record import Run

HEADER_BYTES = 61
MAGIC = 2
NO_COMPRESSION = 0
SEQUENCES = 2**31  # sequence numbers go round after the largest int32

_prefix = Layout(">qiibI")  # base offset, length, partition leader epoch, magic, crc
_tail = Layout(">hiqqqhii")  # attributes … number of records
_BEHIND_LENGTH = HEADER_BYTES - 12  # bytes of the header that its length counts


class Producer(Struct, frozen=True, gc=False):
    """Who the broker takes us for; sequences count per producer and partition."""

    id: int
    epoch: int


def _encode_varint(value: int) -> bytes:
    rest = value << 1  # zigzag of what is never negative here
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_SMALL = [_encode_varint(value) for value in range(8192)]
_OFFSETS = [b"\0\0" + one for one in _SMALL[:1024]]  # no attributes, no time delta, offset delta


def varint(value: int) -> bytes:
    """A number that is not negative, as a zigzag varint."""
    return _SMALL[value] if value < 8192 else _encode_varint(value)


def frame(runs: Sequence[Run], first: int) -> bytes:
    """Records one behind the other; the first has the offset delta `first` in its batch."""
    parts: list[bytes] = []
    delta = first
    for run in runs:
        key = varint(len(run.key)) + run.key
        headers = _headers(run.headers) if run.headers else b"\0"
        around = len(key) + len(headers)
        for value in run.values:
            size = len(value)
            sized = _SMALL[size] if size < 8192 else _encode_varint(size)
            offset = _OFFSETS[delta] if delta < 1024 else b"\0\0" + varint(delta)
            size += around + len(offset) + len(sized)
            length = _SMALL[size] if size < 8192 else _encode_varint(size)
            parts += (length, offset, key, sized, value, headers)
            delta += 1
    return b"".join(parts)


def _headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    parts = [varint(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += (varint(len(encoded)), encoded, varint(len(value)), value)
    return b"".join(parts)


def seal(
    blobs: Sequence[bytes], count: int, timestamp_ms: int, producer: Producer, sequence: int
) -> list[bytes]:
    """A batch of `count` framed records as chunks to write: its header, then the `blobs`."""
    tail = _tail.pack(
        NO_COMPRESSION, count - 1, timestamp_ms, timestamp_ms,
        producer.id, producer.epoch, sequence, count,
    )  # fmt: skip
    checksum = google_crc32c.value(tail)
    size = _BEHIND_LENGTH
    for blob in blobs:
        checksum = google_crc32c.extend(checksum, blob)
        size += len(blob)
    return [_prefix.pack(0, size, -1, MAGIC, checksum) + tail, *blobs]
