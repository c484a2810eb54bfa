"""The part of R8's mapping that a stack needs. Pure.

A reader takes some thirty times a file's size in memory: so it is given a few classes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from sinks.retrace.frames import MappingError

MAX_BYTES = 4 * 1024 * 1024  # of the part

_CLASS = re.compile(rb"^([^\s#][^\n]*?) -> ([^\s:]+):[^\n]*\n?", re.MULTILINE)
_INLINED = re.compile(rb"^[ \t]+(?:\d+:\d+:)?\S+ ([^\s(]+)\.[^\s.(]+\(", re.MULTILINE)
_COMMENTS = re.compile(rb"(?:[^\S\n]*#[^\n]*\n?)*")


def has_classes(content: bytes) -> bool:
    return _CLASS.search(content) is not None


def excerpt(content: bytes, classes: Set[str]) -> bytes:
    """What renames these classes, and the heads of those inlined there, which tell their files.

    Raises MappingError when that is more than a stack should need.
    """
    wanted = {one.encode("utf-8", "replace") for one in classes}
    found = [content[start:end] for _, new, _, start, end in _sections(content) if new in wanted]
    part = b"".join(one if one.endswith(b"\n") else one + b"\n" for one in found)
    if len(part) > MAX_BYTES:
        raise MappingError(
            f"the classes of this stack are {len(part)} bytes of its mapping; at most {MAX_BYTES} "
            "are read"
        )
    inlined = {match[1] for match in _INLINED.finditer(part)}
    heads = [
        content[start : _end_of_head(content, body)] + b"\n"
        for old, new, body, start, _ in (_sections(content) if inlined else ())
        if old in inlined and new not in wanted
    ]
    return part + b"".join(heads)


def _sections(content: bytes) -> Iterator[tuple[bytes, bytes, int, int, int]]:
    """Of each class: its name, the new one, and where its members, itself and the next begin."""
    last: re.Match[bytes] | None = None
    for match in _CLASS.finditer(content):
        if last is not None:
            yield last[1], last[2], last.end(), last.start(), match.start()
        last = match
    if last is not None:
        yield last[1], last[2], last.end(), last.start(), len(content)


def _end_of_head(content: bytes, body: int) -> int:
    match = _COMMENTS.match(content, body)
    return body if match is None else match.end()
