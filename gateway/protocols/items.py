"""The members of a JSON array, of one object, or of objects line by line."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateway.contract.refusal import Refused
from gateway.protocols import reading

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_list = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


def items_of(body: bytes) -> list[Raw]:
    """The members of an array; one object is an array of one. Raises Refused."""
    text = body.removeprefix(_BYTE_ORDER_MARK).strip()
    if not text.startswith(b"["):
        return [Raw(_encode(reading.json_object(text)))]
    try:
        if reading.is_utf8(text):
            return _list.decode(text)
    except reading.UNREADABLE:
        pass  # what can be saved of it is saved below
    keys = reading.json_object(b'{"items":%b}' % text)  # arrays are read as objects are
    return reading.as_list(keys["items"]) or []


def items_or_lines_of(body: bytes, limit: int) -> list[Raw]:
    """The same, or one object a line; a line that cannot be read is a text. What is beyond the
    limit by more than one line is left out. Raises Refused."""
    try:
        return items_of(body)
    except Refused:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2 or lines[0].lstrip()[:1] == b"[":
            raise
        return [_line(line) for line in lines[: limit + 1]]


def _line(line: bytes) -> Raw:
    try:
        return Raw(_encode(reading.json_object(line)))
    except Refused:
        return Raw(_encode(line.decode("utf-8", "replace")))
