"""A crash as columns: its kind, reason and stack, and the group it belongs to."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, UnsetType

from gateway.contract.event import Crash
from gateway.contract.grouping.group import group_of

MAX_STACK_BYTES = 384 * 1024  # of crash_stack; escaped it may double, and must stay below a record


class CrashFields(Struct, frozen=True, gc=False):
    """The columns of one crash, and the properties that keep what has no column."""

    kind: str
    fatal: bool
    type: str
    reason: str
    stack: str
    group: int
    extras: dict[str, Raw]


def fields_of(crash: Crash) -> CrashFields:
    """Turn a crash into its columns. What has no column is kept under `$crash.` properties."""
    exception_type = (crash.exception.type if crash.exception else None) or ""
    message = (crash.exception.message if crash.exception else None) or ""
    extras: dict[str, Raw] = {}
    for name in ("signal", "thread", "causes"):
        value = getattr(crash, name)
        if _is_given(value):
            extras[f"$crash.{name}"] = value
    if crash.mechanism is not None:
        extras["$crash.mechanism"] = Raw(msgspec.json.encode(crash.mechanism))
    if crash.in_foreground is not None:
        extras["$crash.in_foreground"] = Raw(b"true" if crash.in_foreground else b"false")
    stack = _cut(_stack(crash, extras), extras)
    return CrashFields(
        kind=crash.kind,
        fatal=crash.fatal,
        type=exception_type,
        reason=message,
        stack=stack,
        group=group_of(crash.kind, exception_type, message, stack),
        extras=extras,
    )


def _is_given(value: Raw | UnsetType) -> bool:
    return isinstance(value, Raw) and bytes(value) not in (b"null", b"[]")


def _stack(crash: Crash, extras: dict[str, Raw]) -> str:
    """The stack as it is stored: the frames as they came, else the text."""
    if isinstance(crash.frames, Raw) and _is_given(crash.frames):
        if crash.stacktrace:
            extras["$crash.stacktrace"] = Raw(msgspec.json.encode(crash.stacktrace))
        return bytes(crash.frames).decode("utf-8", "replace")
    return crash.stacktrace or ""


def _cut(stack: str, extras: dict[str, Raw]) -> str:
    encoded = stack.encode("utf-8", "replace")
    if len(encoded) <= MAX_STACK_BYTES:
        return stack
    extras["$crash.stack_cut"] = Raw(b"true")
    return encoded[:MAX_STACK_BYTES].decode("utf-8", "ignore")
