"""Frames of Java and Kotlin: a line as the runtime prints it, and what its mapping makes of it."""

from __future__ import annotations

import re

from sinks.retrace.frames import Frame, JavaMapping

NO_FILE = "Unknown Source"  # as Android prints it
LOST = ("", "SourceFile", "PG", "Unknown Source", "Unknown")  # what R8 and ProGuard leave of a name

_FRAME = re.compile(
    r"(?P<head>\s*at (?:[^\s()/]+/{1,2})?)(?P<class>[^\s()/:]+)\.(?P<method>[^\s()/:.]+)"
    r"\((?P<file>[^():]*)(?::(?P<line>\d{1,9}))?\)(?P<tail>[^()]*)"
)
_ERROR = re.compile(
    r"(?P<head>\s*(?:Caused by: |Suppressed: |Exception in thread \"[^\"]*\" )?)"
    r"(?P<class>[^\s:()]+)(?P<tail>(?::.*)?)"
)


def retraced_line(line: str, mapping: JavaMapping, *, is_first: bool) -> list[str] | None:
    """The lines that stand for this one; None where the mapping does not know it."""
    if (match := _FRAME.fullmatch(line)) is not None:
        frame = Frame(match["class"], match["method"], match["file"], int(match["line"] or 0))
        return [
            f"{match['head']}{one.class_name}.{one.method}({_where(one)}){match['tail']}"
            for one in frames_of(frame, mapping)
        ] or None
    match = _ERROR.fullmatch(line)
    if match is None or not (is_first or match["head"].strip()):
        return None  # a line of a message may begin as one of an exception
    known = mapping.class_name(match["class"])
    return None if known is None else [f"{match['head']}{known}{match['tail']}"]


def class_in(line: str) -> str:
    """The class that a line names, of a frame or an exception; empty: none."""
    match = _FRAME.fullmatch(line) or _ERROR.fullmatch(line)
    return "" if match is None else match["class"]


def frames_of(frame: Frame, mapping: JavaMapping) -> list[Frame]:
    """From the innermost outwards; none where the mapping knows neither method nor class."""
    found = mapping.frames(frame.class_name, frame.method, frame.line)
    if not found:
        known = mapping.class_name(frame.class_name)
        return [] if known is None else [Frame(known, frame.method, frame.file, frame.line)]
    own = "" if frame.file in LOST or frame.file.startswith("r8-map-id-") else frame.file
    *inlined, outermost = found
    return [
        *(Frame(one.class_name, one.method, one.file or NO_FILE, one.line) for one in inlined),
        Frame(
            outermost.class_name,
            outermost.method,
            outermost.file or own or NO_FILE,
            outermost.line or frame.line,  # a method without ranges has kept its lines
        ),
    ]


def _where(frame: Frame) -> str:
    return f"{frame.file}:{frame.line}" if frame.line else frame.file
