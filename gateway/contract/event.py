"""What an app says: events, the context they happened in, and the limits both must keep.

Every wire protocol decodes into these types. Decoding is strict (an unknown key fails), so that
the one fast pass over a body never loses a key; a body that fails it is read leniently, event by
event, and what it says beyond these fields becomes properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.verdict import Rejection

MAX_EVENTS = 1_000  # per POST
MAX_BODY_BYTES = 4 * 1024 * 1024  # per POST, decompressed
MAX_CONTEXT_BYTES = 8 * 1024  # of a batch, and of an event
MAX_EVENT_BYTES = 32 * 1024
MAX_CRASH_EVENT_BYTES = 256 * 1024  # an event with a crash
MAX_PROPERTIES = 255
MAX_NAME_LENGTH = 128  # characters: names and property keys
MAX_ID_LENGTH = 64  # characters: ids of the native protocol
MAX_FOREIGN_ID_LENGTH = 200  # characters: ids made by other vendors' SDKs
MAX_SEQUENCE = 2**63 - 1

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Instant = Annotated[datetime, Meta(tz=True)]
Properties = Annotated[
    dict[Annotated[str, Meta(max_length=MAX_NAME_LENGTH)], Raw], Meta(max_length=MAX_PROPERTIES)
]

EVENT_TYPES = frozenset(
    {
        "app_open",
        "app_close",
        "app_crash",
        "app_install",
        "app_update",
        "session_start",
        "session_end",
        "screen",
        "identify",
        "track",
        "error",
    }
)
NAMED_TYPES = frozenset({"screen", "track"})  # these must say their `name`
CRASH_TYPES = frozenset({"app_crash", "error"})  # these may carry a `crash`

CrashKind = Literal[
    "exception", "signal", "mach_exception", "anr", "oom", "watchdog", "js_error", "unknown"
]


class Stamp(StrEnum):
    """How far a protocol's sent time can be trusted to correct the device's clock."""

    EACH_ATTEMPT = "A"  # written anew whenever the POST is tried
    BATCH_CLOSED = "B"  # written when the batch was closed: the rest may be time spent offline
    NONE = "C"


class _Strict(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of the wire types."""


class App(_Strict):
    id: str | None = None
    name: str | None = None  # for people reading the wire; not stored
    version: str | None = None
    build: str | None = None


class OperatingSystem(_Strict):
    name: str | None = None
    version: str | None = None


class Device(_Strict):
    id: Id | None = None
    manufacturer: str | None = None
    model: str | None = None
    type: str | None = None


class Network(_Strict):
    type: str | None = None
    carrier: str | None = None


class Library(_Strict):
    name: str | None = None
    version: str | None = None


class Context(_Strict):
    """Where events happened. An event's own context is laid over its batch's, field by field."""

    app: App | None = None
    os: OperatingSystem | None = None
    device: Device | None = None
    network: Network | None = None
    library: Library | None = None
    locale: str | None = None
    timezone: str | None = None
    country: str | None = None


class ExceptionInfo(_Strict):
    type: str | None = None
    message: str | None = None


class Crash(_Strict):
    """A crash or a caught error. Frames lie crash point first."""

    kind: CrashKind = "unknown"
    fatal: bool = True
    exception: ExceptionInfo | None = None
    frames: Raw | UnsetType = UNSET  # array of objects, stored as it came
    stacktrace: str | None = None  # text, where no frames are known
    signal: Raw | UnsetType = UNSET
    thread: Raw | UnsetType = UNSET
    causes: Raw | UnsetType = UNSET
    mechanism: str | None = None
    in_foreground: bool | None = None


class Event(_Strict):
    """One thing that happened in an app.

    `timestamp` is the device's clock; None means that what the device sent is no time (a missing
    one rejects the event). What a decoder finds beyond these fields it adds to `properties`:
    unknown keys under `$event.` and `$context.`, the original of a time that is none under
    `$timestamp`. `context` is what differs from the batch's context.
    """

    event_id: Id
    type: Name
    timestamp: Instant | None
    name: Name | None = None
    session_id: Id | None = None
    user_id: Annotated[str, Meta(max_length=MAX_FOREIGN_ID_LENGTH)] | None = None
    sequence: Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)] | None = None
    properties: Properties | None = None
    crash: Crash | None = None
    context: Context | None = None


class Batch(Struct, frozen=True, kw_only=True, gc=False):
    """The events of one POST that share a write key, as every protocol decodes them.

    `events` keeps the order of the wire; one that could not be read stands there as its
    Rejection. `extras` are properties of every event: context keys that have no field.
    """

    events: list[Event | Rejection]
    sent_at: datetime | None
    stamp: Stamp
    context: Context | None = None
    extras: dict[str, Raw] = {}
    write_key: str | None = None  # where the protocol carries it in the body
    max_id_length: int = MAX_ID_LENGTH  # characters of a device id
    positions: list[int] = []  # of the events in the POST, where it has more than this batch
    ignored: int = 0  # items that are no events of ours: traces, heartbeats, flags
    receipt: str = ""  # what the answer has to say of the body

    def numbered(self) -> Iterator[tuple[int, Event | Rejection]]:
        """The events, each with its position in the POST."""
        return zip(self.positions or range(len(self.events)), self.events, strict=True)
