"""Frames of JavaScript: a line as V8, Hermes or JavaScriptCore prints it, and what it becomes.

A minified function's name comes from the place that called it: there stands its own name. So the
frame below, if it is mapped, tells it.
"""

from __future__ import annotations

import re

from msgspec import Struct

from sinks.retrace.frames import Mappings, Place

_PLACE = re.compile(r":(\d{1,9}):(\d{1,9})(\)?)$")
_BYTECODE = "address at "  # Hermes without lines: the column is an offset from 0
_KEPT = re.compile(r"(?:(?:async|new) )*")


class Call(Struct, frozen=True):
    """A frame as it came; `column` is from 0."""

    url: str
    line: int
    column: int
    function: str = ""
    head: str = ""  # white space, and `at ` of V8 and Hermes; without it JavaScriptCore's form


def bundle_of(url: str) -> str:
    """The file name of a URL or path, without query and fragment."""
    return re.split("[?#]", url, maxsplit=1)[0].replace("\\", "/").rpartition("/")[2]


def parsed(line: str) -> Call | None:
    """None for a line that is no frame with a place."""
    match = _PLACE.search(line.rstrip())
    if match is None:
        return None
    number, column, bracket = int(match[1]), int(match[2]), match[3]
    before = line[: match.start()]
    body = before.lstrip()
    head = before[: len(before) - len(body)]
    if not body.startswith("at "):
        function, at, url = body.partition("@")
        return Call(url, number, column - 1, function, head) if at and not bracket else None
    function, opened, url = body[3:].rpartition(" (") if bracket else ("", "", body[3:])
    if bool(bracket) != bool(opened):
        return None
    if url.startswith(_BYTECODE):
        return Call(url.removeprefix(_BYTECODE), number, column, function, f"{head}at ")
    return Call(url, number, column - 1, function, f"{head}at ")


def place_of(call: Call, known: Mappings) -> Place | None:
    mapping = known.scripts.get(bundle_of(call.url))
    return None if mapping is None else mapping.place(call.line, call.column)


def function_of(call: Call, place: Place, caller: Place | None) -> str:
    """By its source's name, else by the one that came."""
    name = place.function or (caller.name if caller is not None else "")
    if not name:
        return call.function
    kept = _KEPT.match(call.function)
    return f"{kept[0] if kept else ''}{name}"


def written(call: Call, place: Place, caller: Place | None) -> str:
    """The frame in the form in which it came."""
    function, where = (
        function_of(call, place, caller),
        f"{place.source}:{place.line}:{place.column}",
    )
    if not call.head.endswith("at "):
        return f"{call.head}{function}@{where}"
    return f"{call.head}{function} ({where})" if function else f"{call.head}{where}"
