"""Events beyond our limits made to fit: what makes one too large is cut, and the crash stays.

The largest part is made smaller again and again. Each step takes off about half of that part, and
what cannot be made smaller goes as a whole.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, structs

from gateway.contract.event import (
    MAX_CRASH_EVENT_BYTES,
    MAX_EVENT_BYTES,
    MAX_PROPERTIES,
    Crash,
    Event,
    ExceptionInfo,
)
from gateway.protocols import reading

ROOM = 4096  # bytes for the event's own fields: names and ids
MAX_TOLD = 10  # names of cut parts that an event tells
MAX_TOLD_LENGTH = 64  # characters of one
MIN_FRAMES = 16
MAX_MEMBERS = 1_000  # of one object, once it must be made smaller
MAX_FRAME_TEXT = 500  # characters, once a stack must be made smaller
_BULKY = ("vars", "pre_context", "post_context", "context_line")  # of a frame
_FRAMES, _CAUSES, _REASON = "$crash.frames", "$crash.causes", "$crash.reason"
_THREAD, _SIGNAL = "$crash.thread", "$crash.signal"
_encode = msgspec.json.Encoder().encode


def trimmed(event: Event) -> Event:
    """The event itself where it fits. `$event.trimmed` names what was cut."""
    limit = (MAX_EVENT_BYTES if event.crash is None else MAX_CRASH_EVENT_BYTES) - ROOM
    properties = dict(event.properties or {})
    cut = list(properties)[MAX_PROPERTIES - 1 :]  # one more tells what was cut
    for name in cut:
        del properties[name]
    parts = {**properties, **_crash_parts(event.crash)}
    sizes = {name: len(name.encode()) + len(bytes(raw)) + 8 for name, raw in parts.items()}
    total = sum(sizes.values())
    while total > limit:
        name = max(sizes, key=sizes.__getitem__)
        cut.append(name)
        smaller = _smaller(name, parts[name])
        total -= sizes.pop(name)
        del parts[name]
        if smaller is not None:
            parts[name] = smaller
            sizes[name] = len(name.encode()) + len(bytes(smaller)) + 8
            total += sizes[name]
    return _rebuilt(event, parts, cut) if cut else event


def _crash_parts(crash: Crash | None) -> dict[str, Raw]:
    """What of a crash may be large."""
    if crash is None:
        return {}
    reason = crash.exception.message if crash.exception else None
    parts = {
        _FRAMES: crash.frames,
        _CAUSES: crash.causes,
        _THREAD: crash.thread,
        _SIGNAL: crash.signal,
        _REASON: Raw(_encode(reason)) if reason else UNSET,
    }
    return {name: raw for name, raw in parts.items() if isinstance(raw, Raw)}


def _rebuilt(event: Event, parts: dict[str, Raw], cut: list[str]) -> Event:
    told = [name[:MAX_TOLD_LENGTH] for name in dict.fromkeys(cut)][:MAX_TOLD]
    crash = event.crash
    if crash is not None:
        reason = reading.as_text(parts.pop(_REASON, None)) or None
        kind = crash.exception.type if crash.exception else None
        crash = structs.replace(
            crash,
            frames=parts.pop(_FRAMES, UNSET),
            causes=parts.pop(_CAUSES, UNSET),
            thread=parts.pop(_THREAD, UNSET),
            signal=parts.pop(_SIGNAL, UNSET),
            exception=ExceptionInfo(type=kind, message=reason),
        )
    parts["$event.trimmed"] = Raw(_encode(told))
    return structs.replace(event, properties=parts, crash=crash)


def _smaller(name: str, raw: Raw) -> Raw | None:
    """About half of a part; None where nothing of it can stay."""
    value = reading.as_value(raw)
    half: object = None
    if name == _FRAMES and isinstance(value, list):
        half = _fewer_frames(value)
    elif name == _CAUSES and isinstance(value, list):
        half = _fewer_causes(value)
    elif isinstance(value, str):
        half = value[: len(value) // 2]
    elif isinstance(value, list):
        count = len(value) // 2
        half = value[-count:] if name == "breadcrumbs" and count else value[:count]
    elif isinstance(value, dict):
        half = _smaller_members(value)
    encoded = _encode(half) if half else b""
    return Raw(encoded) if half and len(encoded) < len(bytes(raw)) else None


def _smaller_members(value: dict[str, object]) -> dict[str, object]:
    """Without its largest members."""
    if len(value) > MAX_MEMBERS:
        return dict(list(value.items())[:MAX_MEMBERS])
    order = sorted(value, key=lambda name: len(_encode(value[name])))
    kept = set(order[: len(order) - max(1, len(order) // 4)])
    return {name: part for name, part in value.items() if name in kept}


def _fewer_frames(frames: list[object]) -> list[object]:
    """First without source code and variables, then without long texts, then without its middle:
    the crash point and the way in say most."""
    slim = [_without(frame, _BULKY) for frame in frames]
    if slim != frames:
        return slim
    short = [_short(frame) for frame in frames]
    if short != frames:
        return short
    count = len(frames) // 2
    if count < MIN_FRAMES:
        return frames[:count]
    return frames[: count - count // 4] + frames[len(frames) - count // 4 :]


def _fewer_causes(causes: list[object]) -> list[object]:
    """First without their frames."""
    bare = [_short(_without(cause, ("frames",))) for cause in causes]
    return bare if bare != causes else causes[: len(causes) // 2]


def _without(value: object, names: tuple[str, ...]) -> object:
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name not in names}


def _short(value: object) -> object:
    """Without nested values, its texts cut."""
    if not isinstance(value, dict):
        return value
    return {
        name: part[:MAX_FRAME_TEXT] if isinstance(part, str) else part
        for name, part in value.items()
        if not isinstance(part, dict | list) and len(name) <= MAX_FRAME_TEXT
    }
