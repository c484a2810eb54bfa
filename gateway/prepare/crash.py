"""A crash as columns: its kind, reason and stack, and the group it belongs to.

A group is what people call "the same crash": the exception's type and the top frames of the app's
own code, without what differs between two builds or two runs (addresses, lines, generated names).
"""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct, UnsetType

from gateway.contract.event import Crash, Frame

GROUP_VERSION = 1  # counts up whenever the rule below changes
GROUP_FRAMES = 5
MAX_STACK_BYTES = 384 * 1024  # of crash_stack; escaped it may double, and must stay below a record
MAX_TEXT_FRAMES_LENGTH = 65_536  # characters of a stack of text that are looked at for frames

_frames = msgspec.json.Decoder(list[Frame], strict=False)
_address = re.compile(r"0x[0-9a-fA-F]+")
_generated = re.compile(r"\$\$?[Ll]ambda.*|\$[0-9]+|[0-9a-f]{8,}|\.cold$|\.llvm\.[0-9]+")
_number = re.compile(r"[0-9]+")
_text_frame = re.compile(r"(?:at\s+|#?[0-9]+[:.]?\s+)(\S.*)")  # of a stripped line: linear


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
    frames, stack = _stack(crash, extras)
    return CrashFields(
        kind=crash.kind,
        fatal=crash.fatal,
        type=exception_type,
        reason=message,
        stack=_cut(stack, extras),
        group=group_of(exception_type or crash.kind, frames),
        extras=extras,
    )


def _is_given(value: Raw | UnsetType) -> bool:
    return isinstance(value, Raw) and bytes(value) not in (b"null", b"[]")


def _stack(crash: Crash, extras: dict[str, Raw]) -> tuple[list[str], str]:
    """What identifies each frame, and the stack as it is stored."""
    if isinstance(crash.frames, Raw) and _is_given(crash.frames):
        raw = bytes(crash.frames)
        if crash.stacktrace:
            extras["$crash.stacktrace"] = Raw(msgspec.json.encode(crash.stacktrace))
        try:
            frames = _frames.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return [], raw.decode("utf-8", "replace")
        chosen = [frame for frame in frames if frame.in_app] or frames
        return [_identity(frame) for frame in chosen], raw.decode("utf-8", "replace")
    text = crash.stacktrace or ""
    lines = (_text_frame.match(line.strip()) for line in text[:MAX_TEXT_FRAMES_LENGTH].split("\n"))
    return [line[1] for line in lines if line], text


def _identity(frame: Frame) -> str:
    """A frame without its line and address; its image stands in where no name is known."""
    where = frame.module or frame.file or frame.image or ""
    return f"{where}:{frame.function or ''}"


def _cut(stack: str, extras: dict[str, Raw]) -> str:
    encoded = stack.encode("utf-8", "replace")
    if len(encoded) <= MAX_STACK_BYTES:
        return stack
    extras["$crash.stack_cut"] = Raw(b"true")
    return encoded[:MAX_STACK_BYTES].decode("utf-8", "ignore")


def normalise(frame: str) -> str:
    """A frame without what two runs or two builds of the same code write differently."""
    text = _address.sub("", frame)
    text = _generated.sub("", text)
    return _number.sub("", text).strip()


def group_of(exception_type: str, frames: list[str]) -> int:
    """The crash group: the first 8 bytes of SHA-256 over type and top frames, as UInt64."""
    top = [normalise(frame) for frame in frames[:GROUP_FRAMES]]
    text = "\n".join([exception_type, *top])
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8])
