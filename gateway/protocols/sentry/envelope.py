"""An envelope cut into its items: lines of JSON headers, each followed by a payload.

A header says its payload's length, or the payload ends at the next newline. A length that does not
end at a newline is wrong, and then the newline counts. What is no item is handed on as one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import MAX_EVENTS
from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import reading

JUNK = ""  # the type of bytes that are no item
MAX_LINES = 4 * MAX_EVENTS  # of items that are no events, and of bytes that are no items

_not_blank = re.compile(rb"\S").search


class Item(Struct, frozen=True, gc=False):
    type: str
    payload: bytes


class _Usual(Struct, gc=False):
    """An item's header, as nearly all write it."""

    type: str
    length: int | None = None


class Envelope(Struct, frozen=True, gc=False):
    header: dict[str, Raw]
    items: list[Item]


_usual = msgspec.json.Decoder(_Usual)


def parse(body: bytes) -> Envelope:
    """Raises Refused when the envelope's own header cannot be read, or has too many items."""
    line, start = _line(body, 0)
    header = reading.json_object(line)
    items: list[Item] = []
    for item in _items(body, start):
        if item.type == JUNK and items and items[-1].type == JUNK:
            continue  # where it began says enough
        items.append(item)
    return Envelope(header, items)


def _items(body: bytes, start: int) -> Iterator[Item]:
    lines = 0
    before, name = b"", ""  # the header before: items of a kind often have the same
    length: object = None
    while start < len(body):
        line, following = _line(body, start)
        if not line.strip():
            found = _not_blank(body, following)  # many blank lines are one step
            start = found.start() if found else len(body)
            continue
        lines += 1
        if lines > MAX_LINES:
            text = f"the envelope has more than {MAX_LINES} items"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
        if line != before:
            before = line
            name, length = _header(line)
        if not name:
            yield Item(JUNK, line)
            start = following
            continue
        payload, start = _payload(body, following, length)
        yield Item(name, payload)


def _header(line: bytes) -> tuple[str, object]:
    """An item's type, empty where the line is no header, and its length."""
    try:
        if reading.is_utf8(line):
            usual = _usual.decode(line)
            return usual.type, usual.length
    except reading.UNREADABLE:
        pass  # what can be read of it is read key by key
    try:
        header = reading.json_object(line)
    except Refused:
        return "", None
    return reading.as_text(header.get("type")), reading.as_value(header.get("length"))


def _payload(body: bytes, start: int, length: object) -> tuple[bytes, int]:
    if isinstance(length, int) and 0 <= length <= len(body) - start:
        end = start + length
        if end == len(body) or body[end] in b"\r\n":
            return body[start:end], end
    return _line(body, start)


def _line(body: bytes, start: int) -> tuple[bytes, int]:
    """A line without its newline, and where the next one starts."""
    end = body.find(b"\n", start)
    return (body[start:], len(body)) if end < 0 else (body[start:end], end + 1)
