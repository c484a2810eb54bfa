"""How many messages a body of protobuf holds, told from its bytes: two bytes of them can become a
hundred in memory."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.otlp.logs import MAX_RECORDS

SMALL_BYTES = 64 * 1024  # whatever a body of this size becomes is small enough
MAX_FIELDS = 8 * MAX_RECORDS  # that are looked at
_LEVELS = (("resources", 1), ("scopes", 2), ("log records", 2))  # and their field numbers
_FIXED = {1: 8, 5: 4}  # bytes of a field by its wire type

Span = tuple[int, int]  # of a message in the body


class _Malformed(Exception):
    """No protobuf; its parser will say so."""


def check(body: bytes) -> None:
    """Raises Refused where a parser should not even begin."""
    if len(body) <= SMALL_BYTES:
        return
    spans, fields = [(0, len(body))], 0
    try:
        for name, wanted in _LEVELS:
            found: list[Span] = []
            for span in spans:
                for number, inside in _members(body, span):
                    fields += 1
                    if number == wanted:
                        found.append(inside)
                    if len(found) > MAX_RECORDS or fields > MAX_FIELDS:
                        text = f"the body has more than {MAX_RECORDS} {name}"
                        raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
            spans = found
    except (_Malformed, IndexError):
        return


def _members(body: bytes, span: Span) -> Iterator[tuple[int, Span]]:
    """The fields of a message; number 0 stands for those that are no messages. Raises
    _Malformed."""
    at, end = span
    while at < end:
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(body, at)
            yield tag >> 3, (at, at + size)
            at += size
        elif kind == 0:
            _, at = _varint(body, at)
            yield 0, span
        elif kind in _FIXED:
            at += _FIXED[kind]
            yield 0, span
        else:
            raise _Malformed
    if at != end:
        raise _Malformed


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends. Raises IndexError."""
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = body[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
        if shift > 63:
            raise _Malformed
