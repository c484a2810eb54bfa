"""One event as the columns of its record, by what its whole batch says."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    CRASH_TYPES,
    EVENT_TYPES,
    NAMED_TYPES,
    Batch,
    Context,
    Crash,
    Event,
)
from gateway.contract.grouping.group import GROUP_VERSION
from gateway.contract.record import EventFields, suffix_of
from gateway.contract.uuid_text import is_canonical
from gateway.contract.verdict import Code, Rejected
from gateway.prepare import context as contexts
from gateway.prepare import crash as crashes
from gateway.prepare import identity, skew
from gateway.prepare.context import Origin

MAX_DURATION_MS = 2**32 - 1


class Place(Struct, frozen=True, gc=False):
    """Where events happened: the device they are keyed by, and the record's encoded tail."""

    device_id: str
    key: bytes
    suffix: Raw


class Columns:
    """What the events of one batch share, found once, and each event's columns by it."""

    __slots__ = (
        "_app_id", "_batch", "_extras", "_origin", "_own", "_own_place", "_place", "_sent_at",
        "_session", "_session_id", "_session_place", "home", "window",
    )  # fmt: skip

    def __init__(self, batch: Batch, origin: Origin) -> None:
        self._batch = batch
        self._origin = origin
        self._app_id = origin.app_id
        self._extras = batch.extras
        sent_at = batch.sent_at
        if sent_at is not None and not skew.is_plausible(sent_at):
            sent_at = None
        self._sent_at = sent_at
        move = skew.correction(sent_at, origin.received_at, batch.stamp, is_retry=origin.is_retry)
        self.window = skew.Window(sent_at, origin.received_at, move)
        place = self._place = self._place_in(batch.context)
        # Where events happened that need no second look; None where all need one.
        self.home = place if place and self._is_short(place) else None
        self._own: Context | None = None  # the context of an event before
        self._own_place: Place | None = None
        self._session: str | None = None  # of the event before, as it came
        self._session_place: Place | None = None
        self._session_id = ""  # and as it is stored

    def place_of(self, event: Event) -> Place:
        """Where the event happened. Raises Rejected."""
        own = event.context
        if own is None:
            place = self._place
        elif own == self._own:  # SDKs that repeat their context say the same in each event
            place = self._own_place
        else:
            place = self._place_in(contexts.merge(self._batch.context, own))
            self._own, self._own_place = own, place
        if place is None:
            raise Rejected(Code.MISSING_FIELD, "`device.id` is missing - at `$.context`")
        if not self._is_short(place):
            text = f"`device.id` is longer than {self._batch.max_id_length} - at `$.context`"
            raise Rejected(Code.ID_TOO_LONG, text)
        return place

    def _is_short(self, place: Place) -> bool:
        return len(place.device_id) <= self._batch.max_id_length

    def _place_in(self, context: Context | None) -> Place | None:
        device = context.device if context is not None else None
        if context is None or device is None or not device.id:
            return None
        fields = contexts.fields_of(context, device.id, self._origin, self._sent_at)
        return Place(device.id, device.id.encode(), suffix_of(fields))

    def fields_of(self, event: Event, place: Place) -> EventFields:
        """The event as columns. Raises Rejected."""
        event_type, event_name = event.type, event.name or ""
        if event_type not in EVENT_TYPES:
            event_type, event_name = "track", event_type
        elif not event_name and event_type in NAMED_TYPES:
            raise Rejected(Code.MISSING_FIELD, f"`name` is required for type `{event_type}`")
        occurred_at, ts, quality = self.window.place(event.timestamp)
        event_id, source_id = event.event_id, ""
        if not is_canonical(event_id):
            event_id, source_id = own_id(self._app_id, event_id)
        properties = event.properties or {}
        is_crash = event_type in CRASH_TYPES
        if self._extras or quality == "invalid" or (event.crash is not None and not is_crash):
            properties = _with_more(properties, event, self._extras, quality)
        fields = EventFields(
            event_id=event_id,
            source_event_id=source_id,
            event_type=event_type,
            event_name=event_name,
            occurred_at=occurred_at,
            ts=ts,
            time_quality=quality,
            session_id=self.session_of(event.session_id, place),
            user_id=event.user_id or "",
            sequence=event.sequence or 0,
            duration_ms=duration_of(properties) if event_type == "app_close" else 0,
            properties=properties,
            received_at=place.suffix,
        )
        if not is_crash:
            return fields
        return _with_crash(fields, event.crash or Crash(fatal=event_type == "app_crash"))

    def session_of(self, session_id: str | None, place: Place) -> str:
        """A session as it is stored: nearly all events are of the session before."""
        if session_id != self._session or place is not self._session_place:
            self._session, self._session_place = session_id, place
            self._session_id = _session(session_id, self._app_id, place.device_id)
        return self._session_id


def _with_more(
    properties: dict[str, Raw], event: Event, extras: dict[str, Raw], quality: str
) -> dict[str, Raw]:
    """The event's properties, and what has no column of its own."""
    added: dict[str, Raw] = {}
    if quality == "invalid" and event.timestamp is not None:
        added["$timestamp"] = Raw(msgspec.json.encode(event.timestamp))
    if event.crash is not None and event.type not in CRASH_TYPES:
        added["$event.crash"] = Raw(msgspec.json.encode(event.crash))
    return {**extras, **properties, **added}


def own_id(app_id: str, event_id: str) -> tuple[str, str]:
    """A UUID for an id that is not written as ours are, and the original of one that is none."""
    found = identity.as_uuid(event_id)
    return (found, "") if found else (identity.foreign(app_id, event_id), event_id)


def _session(session_id: str | None, app_id: str, device_id: str) -> str:
    if not session_id:
        return ""
    return identity.as_uuid(session_id) or identity.foreign(app_id, device_id, session_id)


def duration_of(properties: dict[str, Raw]) -> int:
    """`properties.duration_ms`, where it is a number in range."""
    if "duration_ms" not in properties:
        return 0
    try:
        duration = msgspec.json.decode(properties["duration_ms"], type=float, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return int(duration) if 0 <= duration <= MAX_DURATION_MS else 0


def _with_crash(fields: EventFields, crash: Crash) -> EventFields:
    columns = crashes.fields_of(crash)
    return msgspec.structs.replace(
        fields,
        crash_kind=columns.kind,
        crash_fatal=columns.fatal and fields.event_type == "app_crash",
        crash_type=columns.type,
        crash_reason=columns.reason,
        crash_stack=columns.stack,
        crash_group=columns.group,
        crash_group_version=GROUP_VERSION,
        properties={**fields.properties, **columns.extras},
    )
