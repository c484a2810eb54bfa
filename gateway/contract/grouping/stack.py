"""A stored stack as frames: from JSON, or from the text that a platform writes."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.contract.grouping.frame import Frame, Section
from gateway.contract.grouping.lines import frame_of

MAX_TEXT_LENGTH = 65_536  # characters of a stack of text that are looked at
MAX_LINES = 2_000
MAX_LINE_LENGTH = 1_000  # characters of a line, and of a frame's field

_CAUSES = ("Caused by: ", "caused by: ", "[cause]: ")
_INNER_ENDS = "--- End of inner exception"  # .NET: the outer one goes on
_CRASHED = " Crashed:\n"  # Apple's reports have all threads, in order of their numbers


class _Wire(Struct, gc=False):
    """A frame as it is stored. A field of another type is as good as none."""

    module: Any = None
    function: Any = None
    file: Any = None
    image: Any = None
    in_app: Any = None
    address: Any = None
    image_base: Any = None


_decoder = msgspec.json.Decoder(list[_Wire])


def sections_of(stack: str) -> list[Section]:
    """The exceptions of a stack, outermost first, as far as their frames can be read."""
    if stack.startswith("["):
        try:
            frames = [_frame(one) for one in _decoder.decode(stack.encode("utf-8", "replace"))]
        except (msgspec.DecodeError, RecursionError):
            pass  # cut, or no JSON at all
        else:
            return [Section("", frames)]
    return _from_text(stack[:MAX_TEXT_LENGTH])


def _frame(wire: _Wire) -> Frame:
    address, base = _number(wire.address), _number(wire.image_base)
    inside = address is not None and base is not None and address >= base
    return Frame(
        module=_text(wire.module),
        function=_text(wire.function),
        file=_text(wire.file),
        image=_text(wire.image),
        in_app=wire.in_app if isinstance(wire.in_app, bool) else None,
        offset=f"{(address or 0) - (base or 0):x}" if inside else "",
    )


def _text(value: object) -> str:
    return value[:MAX_LINE_LENGTH].strip() if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    """An address: a number, or its text as 0x…"""
    if isinstance(value, str) and len(value) <= 20 and value[:2] in ("0x", "0X"):
        try:
            return int(value, 16)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _from_text(text: str) -> list[Section]:
    """The thread that crashed is the one that is named so, else the first one."""
    text = text.partition(_CRASHED)[2] or text
    sections = [Section("", [])]
    for whole in text.split("\n", MAX_LINES)[:MAX_LINES]:
        line = whole[:MAX_LINE_LENGTH].strip().removeprefix("native: ")
        cause = next((line[len(one) :] for one in _CAUSES if line.startswith(one)), None)
        if cause is not None:
            sections.append(Section(cause.partition(":")[0], []))
        elif line.startswith(_INNER_ENDS):
            sections.append(Section("", []))
        elif _begins_a_thread(line) and sections[0].frames:
            break
        elif line and (frame := frame_of(line)) is not None:
            sections[-1].frames.append(frame)
    return [one for one in sections if one.frames]


def _begins_a_thread(line: str) -> bool:
    """Android's dumps, its tombstones, and Apple's reports go on with the other threads."""
    if line.startswith('"'):
        return " tid=" in line
    return line.startswith("--- --- ---") or (line.startswith("Thread ") and line.endswith(":"))
