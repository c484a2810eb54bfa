"""What the rules look at in a record of `app-events`."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

OPEN, CRASH = "app_open", "app_crash"
MAX_FRAMES = 8


class Happening(Struct, frozen=True, gc=False):
    """The fields of a record that rules use, named as they are there."""

    event_id: str
    event_type: str
    app_id: str
    ts: datetime
    received_at: datetime
    device_id: str = ""
    session_id: str = ""
    app_version: str = ""
    crash_kind: str = ""
    crash_fatal: bool = False
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""
    crash_group: int = 0

    @property
    def ts_ms(self) -> float:
        return self.ts.timestamp() * 1000

    @property
    def received_ms(self) -> float:
        return self.received_at.timestamp() * 1000

    @property
    def group(self) -> str:
        """The crash group as people see it."""
        return f"{self.crash_group:016x}"

    @property
    def crash_title(self) -> str:
        return self.crash_type or self.crash_kind or "crash"


class _Frame(Struct, frozen=True):
    module: str | None = None
    file: str | None = None
    image: str | None = None
    function: str | None = None
    line: int | None = None
    in_app: bool | None = None


_happening = msgspec.json.Decoder(Happening)
_frames = msgspec.json.Decoder(list[_Frame], strict=False)


def read(value: bytes | None) -> Happening | None:
    """None for what is no record: others may write there, and the ClickHouse sink puts it aside."""
    try:
        found = _happening.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.ts.tzinfo and found.received_at.tzinfo else None


def top_frames(stack: str) -> list[str]:
    """The first lines of a stack for people: the app's own frames where they are known."""
    try:
        frames = _frames.decode(stack)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        lines = (line.strip() for line in stack[:65_536].splitlines())
        return [line[:200] for line in lines if line][:MAX_FRAMES]
    chosen = [one for one in frames if one.in_app] or frames
    return [_shown(one) for one in chosen[:MAX_FRAMES]]


def _shown(frame: _Frame) -> str:
    name = ".".join(one for one in (frame.module, frame.function) if one) or "?"
    where = frame.file or frame.image or ""
    line = f":{frame.line}" if where and frame.line else ""
    return f"{name}{f' ({where}{line})' if where else ''}"[:200]
