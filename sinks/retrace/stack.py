"""A crash's stack as it came → the same stack with the names of its source. Pure.

Lines that no mapping knows stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from sinks.retrace import java, script
from sinks.retrace.frames import Mappings
from sinks.retrace.json_frames import call_of, frames_in, retraced_frames

MAX_LINES = 2_000  # are retraced, or frames
MAX_LINE_CHARS = 1_000  # longer lines stay
MAX_CHARS = 2 * 1024 * 1024  # written; from there on lines stay


def retraced(text: str, known: Mappings, spent: Callable[[], bool] = lambda: False) -> str:
    """Lines from where `spent` says so, or beyond a bound, stay as they came."""
    frames = frames_in(text)
    if frames is not None:
        found = retraced_frames(frames, known, spent, MAX_LINES)
        return text if found == frames else json.dumps(found)
    return "\n".join(_lines(text.split("\n"), known, spent))


def bundles_in(text: str) -> set[str]:
    """File names that a stack's frames of JavaScript are in."""
    frames = frames_in(text)
    if frames is not None:
        calls = [call_of(one) for one in frames[:MAX_LINES]]
    else:
        calls = [_call(line) for line in text.split("\n")[:MAX_LINES]]
    return {script.bundle_of(one.url) for one in calls if one is not None}


def classes_in(text: str) -> set[str]:
    """Classes that a stack's frames of Java are in, and those of its exceptions."""
    frames = frames_in(text)
    if frames is not None:
        return {str(one["module"]) for one in frames[:MAX_LINES] if one.get("module")}
    lines = [line for line in text.split("\n")[:MAX_LINES] if len(line) <= MAX_LINE_CHARS]
    return {java.class_in(line) for line in lines} - {""}


def _lines(lines: list[str], known: Mappings, spent: Callable[[], bool]) -> list[str]:
    found: list[str] = []
    written = 0
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    for number, line in enumerate(lines):
        new = None
        if number < MAX_LINES and written < MAX_CHARS and not spent():
            below = lines[number + 1] if number + 1 < len(lines) else ""
            new = _script(line, below, known)
            if new is None and known.java is not None and len(line) <= MAX_LINE_CHARS:
                new = java.retraced_line(line, known.java, is_first=number == first)
        found.extend([line] if new is None else new)
        written += sum(map(len, new or ()))
    return found


def _script(line: str, below: str, known: Mappings) -> list[str] | None:
    call = _call(line) if known.scripts else None
    place = None if call is None else script.place_of(call, known)
    if call is None or place is None:
        return None
    caller = _call(below)
    return [script.written(call, place, None if caller is None else script.place_of(caller, known))]


def _call(line: str) -> script.Call | None:
    return script.parsed(line) if len(line) <= MAX_LINE_CHARS else None
