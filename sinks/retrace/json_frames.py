"""Stacks that are a JSON array of frames, as most SDKs send them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sinks.retrace.frames import MAX_NUMBER, Frame, Mappings
from sinks.retrace.java import frames_of
from sinks.retrace.script import Call, function_of, place_of

Dict = dict[str, Any]


def frames_in(text: str) -> list[Dict] | None:
    """None for a stack that is text."""
    if not text.startswith("["):
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, list) and all(isinstance(x, dict) for x in read) else None


def readable(text: str) -> str:
    """A stack as people read it: one line for each frame."""
    frames = frames_in(text)
    return text if frames is None else "\n".join(map(_line, frames))


def _line(frame: Dict) -> str:
    """The app's own code is marked."""
    where = ".".join(str(frame[name]) for name in ("module", "function") if frame.get(name))
    place = ":".join(str(frame[name]) for name in ("file", "line") if frame.get(name))
    return f"{'>' if frame.get('in_app') else ' '} {where or 'unknown'}" + (
        f"  ({place})" if place else ""
    )


def retraced_frames(
    frames: list[Dict], known: Mappings, spent: Callable[[], bool], limit: int
) -> list[Dict]:
    """At most `limit` frames are retraced, and none once `spent` says so; the others stay."""
    found: list[Dict] = []
    calls = [call_of(one) for one in frames[:limit]]
    calls.extend([None] * (len(frames) - len(calls)))
    for number, (frame, call) in enumerate(zip(frames, calls, strict=True)):
        if number >= limit or spent():
            found.append(frame)
        elif call is not None and (place := place_of(call, known)) is not None:
            below = calls[number + 1] if number + 1 < len(calls) else None
            caller = place_of(below, known) if below is not None else None
            found.append(
                {
                    **frame,
                    "function": function_of(call, place, caller),
                    "file": place.source,
                    "line": place.line,
                    "column": place.column,
                }
            )
        else:
            found.extend(_java(frame, known) or [frame])
    return found


def call_of(frame: Dict) -> Call | None:
    """A frame of JavaScript; None for any other."""
    url, line, column = frame.get("file"), _number(frame, "line"), _number(frame, "column")
    if not isinstance(url, str) or not line or not column:
        return None
    return Call(url, line, column - 1, _text(frame, "function"))


def _java(frame: Dict, known: Mappings) -> list[Dict]:
    class_name, method = _text(frame, "module"), _text(frame, "function")
    if known.java is None or not class_name or not method:
        return []
    came = Frame(class_name, method, _text(frame, "file"), _number(frame, "line"))
    return [
        {
            **frame,
            "module": one.class_name,
            "function": one.method,
            "file": one.file,
            **({"line": one.line} if one.line else {}),
        }
        for one in frames_of(came, known.java)
    ]


def _text(frame: Dict, name: str) -> str:
    value = frame.get(name)
    return value if isinstance(value, str) else ""


def _number(frame: Dict, name: str) -> int:
    value = frame.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value <= MAX_NUMBER else 0
