"""One spooled entry: one POST's records for one lane, as bytes that show their own damage. Pure.

An entry is a head of 20 bytes (mark, CRC-32C, length, arrival) and its body. The checksum covers
everything behind it, the mark lets a reader find the next entry behind a damaged one.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout

import google_crc32c
import msgspec
from msgspec import Struct

from gateway.contract.record import Run

MARK = b"\xf5SPL"
MAX_BODY_BYTES = 16 * 1024 * 1024  # a longer one is damage
_head = Layout(">4sIIQ")  # mark, checksum, length of the body, arrival
_checked = Layout(">IQ")
HEAD_BYTES = _head.size

_Fields = tuple[bytes, bytes, list[tuple[str, bytes]]]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Fields])


class Found(Struct, frozen=True, gc=False):
    """An entry at [start, end) of the bytes looked at; `body` is None where it is damaged."""

    start: int
    end: int
    arrived_ms: int  # Unix time
    body: bytes | None


def encode(runs: Sequence[Run], arrived_ms: int) -> bytes:
    """An entry as it lies on disk, record by record. The lane knows the topic."""
    body = _encoder.encode([(one.key, value, one.headers) for one in runs for value in one.values])
    checked = _checked.pack(len(body), arrived_ms)
    checksum = google_crc32c.extend(google_crc32c.value(checked), body)
    return _head.pack(MARK, checksum, len(body), arrived_ms) + body


def decode(topic: str, body: bytes) -> list[Run]:
    """The records of an entry's body, each a run. Raises msgspec.DecodeError."""
    return [Run(topic, key, [value], headers) for key, value, headers in _decoder.decode(body)]


def scan(data: bytes) -> tuple[list[Found], int]:
    """What lies in `data`, and where the last whole entry ends. Behind that nothing is valid: the
    entry there is torn, or goes on behind the end of `data`."""
    found: list[Found] = []
    position = 0
    while position < len(data):
        entry = _entry_at(data, position)
        if entry is None:
            entry = _next_entry(data, position + 1)
            if entry is None:
                break
            found.append(Found(position, entry.start, 0, None))
        found.append(entry)
        position = entry.end
    return found, position


def _entry_at(data: bytes, start: int) -> Found | None:
    """The valid entry that begins at `start`, if one does."""
    if len(data) - start < HEAD_BYTES:
        return None
    mark, checksum, length, arrived_ms = _head.unpack_from(data, start)
    end = start + HEAD_BYTES + length
    if mark != MARK or length > MAX_BODY_BYTES or end > len(data):
        return None
    body = data[start + HEAD_BYTES : end]
    known = google_crc32c.extend(google_crc32c.value(_checked.pack(length, arrived_ms)), body)
    return Found(start, end, arrived_ms, body) if known == checksum else None


def _next_entry(data: bytes, start: int) -> Found | None:
    """The first valid entry that begins at `start` or later."""
    while (start := data.find(MARK, start)) >= 0:
        entry = _entry_at(data, start)
        if entry is not None:
            return entry
        start += 1
    return None
