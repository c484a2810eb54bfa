"""What workers and the keeper say to each other, as frames with their length in front. Pure.

A worker sends entries; the keeper answers each by its number, and says whenever it changes why it
could not store one.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout

from msgspec import Struct

from gateway.publish.spool.entry import HEAD_BYTES, MAX_BODY_BYTES
from gateway.publish.spool.port import Fate, SpoolAnswer

_length = Layout(">I")
_entry = Layout(">QIB")  # number, lane, whether it is a trip
_answer = Layout(">QB")  # number, fate
MAX_FRAME_BYTES = _entry.size + HEAD_BYTES + MAX_BODY_BYTES
STATUS = 0  # the number of no entry: the text is why none can be stored, empty: one can


class WireError(Exception):
    """These bytes are no frame."""


class Handed(Struct, frozen=True, gc=False):
    """An entry on its way to the keeper."""

    number: int  # from 1 on
    lane: int
    is_trip: bool
    entry: bytes


def entry_frame(handed: Handed) -> list[bytes]:
    head = _entry.pack(handed.number, handed.lane, handed.is_trip)
    return [_length.pack(len(head) + len(handed.entry)) + head, handed.entry]


def read_entry(frame: bytes) -> Handed:
    """Raises WireError."""
    if len(frame) < _entry.size:
        raise WireError(f"an entry of {len(frame)} bytes")
    number, lane, is_trip = _entry.unpack_from(frame)
    return Handed(number, lane, bool(is_trip), frame[_entry.size :])


def answer_frame(number: int, answer: SpoolAnswer) -> bytes:
    text = answer.reason.encode()
    return _length.pack(_answer.size + len(text)) + _answer.pack(number, answer.fate.value) + text


def status_frame(reason: str | None) -> bytes:
    return answer_frame(STATUS, SpoolAnswer(Fate.FAILED if reason else Fate.STORED, reason or ""))


def read_answer(frame: bytes) -> tuple[int, SpoolAnswer]:
    """The number of the entry, or STATUS, and what is said of it. Raises WireError."""
    if len(frame) < _answer.size:
        raise WireError(f"an answer of {len(frame)} bytes")
    number, fate = _answer.unpack_from(frame)
    try:
        return number, SpoolAnswer(Fate(fate), frame[_answer.size :].decode())
    except ValueError as error:
        raise WireError(str(error)) from None


class Frames:
    """Frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that `data` completes. Raises WireError when one would be too long."""
        self._buffer += data
        while len(self._buffer) >= _length.size:
            (size,) = _length.unpack_from(self._buffer)
            if size > MAX_FRAME_BYTES:
                raise WireError(f"a frame of {size} bytes")
            end = _length.size + size
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[_length.size : end])
            del self._buffer[:end]
            yield frame
