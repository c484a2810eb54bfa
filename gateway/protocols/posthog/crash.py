"""`$exception` as a crash or an error. Its list is Sentry's in shape, but not in order: the first
exception is the one that was caught last, what caused it follows."""

from __future__ import annotations

from typing import cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.contract.event import Crash, CrashKind, ExceptionInfo
from gateway.protocols import reading
from gateway.protocols.loose import without_nulls
from gateway.protocols.posthog.context import take_text
from gateway.protocols.posthog.names import CRASH_KINDS

MAX_FRAMES_BYTES = 128 * 1024  # of one stack: half of what an event with a crash may have
MAX_CAUSES_BYTES = 64 * 1024

_RENAMED = {
    "filename": "file",
    "lineno": "line",
    "colno": "column",
    "instruction_addr": "address",
    "package": "image",
}
_SOURCE = ("pre_context", "context_line", "post_context", "code_variables", "vars")
# Where a thread begins: (end of a module's or image's name, function).
_ENTRIES = (
    ("java.lang.Thread", "run"),
    ("ZygoteInit", "main"),
    ("dyld", "start"),
    ("libsystem_pthread.dylib", "thread_start"),
    ("libsystem_pthread.dylib", "_pthread_start"),
    ("libsystem_pthread.dylib", "start_wqthread"),
)
_encode = msgspec.json.Encoder().encode

Frame = dict[str, Raw]


class Found(Struct, frozen=True, gc=False):
    crash: Crash
    is_fatal: bool


def take_crash(properties: dict[str, Raw]) -> Found:
    """The crash of an `$exception`, taken out of its properties."""
    level = reading.as_text(properties.get("$exception_level"))
    values = [without_nulls(reading.as_object(one)) for one in _list(properties)]
    if not values or not values[0]:
        return _flat(properties, is_fatal=level == "fatal")
    listed = cast(list[Raw], reading.as_list(properties.pop("$exception_list")))
    thrown = values[0]
    mechanism = without_nulls(reading.as_object(thrown.get("mechanism")))
    kind = reading.as_text(mechanism.get("type"))
    is_fatal = level == "fatal" or reading.as_value(mechanism.get("handled")) is False
    meta = without_nulls(reading.as_object(mechanism.get("meta")))
    signal = meta.pop("signal", UNSET)
    if meta:
        properties["$exception_meta"] = Raw(_encode(meta))
    if "module" in thrown:
        properties["$exception_module"] = thrown["module"]
    thread = thrown.get("thread_id")
    crash = Crash(
        kind=cast(CrashKind, CRASH_KINDS.get(kind.lower(), "exception")),
        fatal=is_fatal,
        exception=ExceptionInfo(
            type=reading.as_text(thrown.get("type")) or None,
            message=reading.as_text(thrown.get("value")) or None,
        ),
        frames=_frames(thrown, properties),
        signal=signal,
        thread=Raw(_encode({"id": thread})) if thread is not None else UNSET,
        causes=_causes(listed[1:], properties),
        mechanism=kind or None,
    )
    return Found(crash, is_fatal)


def _list(properties: dict[str, Raw]) -> list[Raw]:
    return reading.as_list(properties.get("$exception_list")) or []


def _flat(properties: dict[str, Raw], *, is_fatal: bool) -> Found:
    """As SDKs wrote it before there was a list."""
    exception = ExceptionInfo(
        type=take_text(properties, "$exception_type"),
        message=take_text(properties, "$exception_message"),
    )
    stack = take_text(properties, "$exception_stack_trace_raw")
    return Found(
        Crash(kind="exception", fatal=is_fatal, exception=exception, stacktrace=stack), is_fatal
    )


def _frames(thrown: dict[str, Raw], properties: dict[str, Raw]) -> Raw | UnsetType:
    """The stack, crash point first, in our names for what a frame says."""
    listed = reading.as_list(reading.as_object(thrown.get("stacktrace")).get("frames")) or []
    frames = [_renamed(reading.as_object(one)) for one in listed]
    if not frames:
        return UNSET
    if not _is_crash_first(frames):
        frames.reverse()
    encoded = _encode(frames)
    if len(encoded) > MAX_FRAMES_BYTES:
        bare = [{n: v for n, v in one.items() if n not in _SOURCE} for one in frames]
        kept = _within([Raw(_encode(one)) for one in bare], MAX_FRAMES_BYTES)
        encoded = _encode(kept)
        properties["$exception_frames_cut"] = Raw(_encode(len(frames) - len(kept)))
    return Raw(encoded)


def _renamed(frame: Frame) -> Frame:
    return {
        new if (new := _RENAMED.get(name, name)) == name or new not in frame else name: raw
        for name, raw in frame.items()
    }


def _is_crash_first(frames: list[Frame]) -> bool:
    """The order on the wire is crash point last, but that of the mobile SDKs before July 2026 is
    their platform's. A stack shows it by the end where its thread begins."""
    return _is_entry(frames[-1]) and not _is_entry(frames[0])


def _is_entry(frame: Frame) -> bool:
    module = reading.as_text(frame.get("module") or frame.get("image"))
    function = reading.as_text(frame.get("function"))
    return any(module.endswith(end) and function == name for end, name in _ENTRIES)


def _causes(listed: list[Raw], properties: dict[str, Raw]) -> Raw | UnsetType:
    """The exceptions behind the one that was thrown; too large ones lose their stacks."""
    if not listed:
        return UNSET
    if sum(len(bytes(one)) for one in listed) > MAX_CAUSES_BYTES:
        bare = [
            {n: v for n, v in reading.as_object(one).items() if n != "stacktrace"} for one in listed
        ]
        kept = _within([Raw(_encode(one)) for one in bare], MAX_CAUSES_BYTES)
        properties["$exception_causes_cut"] = Raw(_encode(len(listed) - len(kept)))
        listed = kept
    return Raw(_encode(listed))


def _within(parts: list[Raw], limit: int) -> list[Raw]:
    """As many of the first ones as fit."""
    size = 2
    for number, part in enumerate(parts):
        size += len(bytes(part)) + 1
        if size > limit:
            return parts[:number]
    return parts
