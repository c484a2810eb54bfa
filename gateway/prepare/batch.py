"""One batch in, its Kafka records and the outcome of every event out.

Every event of the batch ends in exactly one of three places: `records`, `rejected`, `duplicates`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Raw, Struct

from gateway.contract import record
from gateway.contract.event import (
    CRASH_TYPES,
    EVENT_TYPES,
    MAX_CRASH_EVENT_BYTES,
    MAX_EVENT_BYTES,
    NAMED_TYPES,
    Batch,
    Context,
    Crash,
    Event,
)
from gateway.contract.record import ContextFields, EventFields, Record
from gateway.contract.topics import APP_EVENTS, MAX_RECORD_BYTES
from gateway.contract.verdict import Code, Rejection
from gateway.prepare import context as contexts
from gateway.prepare import crash as crashes
from gateway.prepare import identity, skew
from gateway.prepare.context import Origin

MAX_DURATION_MS = 2**32 - 1


class Prepared(Struct, frozen=True, gc=False):
    """The outcome of decoding: `records` are the accepted events, in their order."""

    records: list[Record]
    event_types: list[str]  # of the accepted events, for counting
    rejected: list[Rejection]
    duplicates: list[int]  # positions in the POST


class _Rejected(Exception):
    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Place(Struct, frozen=True, gc=False):
    """Where events happened: the device they are keyed by, and the record's encoded tail."""

    device_id: str
    suffix: Raw


class _Post(Struct, frozen=True, gc=False):
    """What all events of one batch share."""

    batch: Batch
    origin: Origin
    sent_at: datetime | None  # None where the device's is none, or out of range
    move: timedelta
    place: _Place | None


def prepare(batch: Batch, origin: Origin) -> Prepared:
    """Turn every event of `batch` into a record, a rejection or a duplicate."""
    sent_at = batch.sent_at if batch.sent_at and skew.is_plausible(batch.sent_at) else None
    move = skew.correction(sent_at, origin.received_at, batch.stamp, is_retry=origin.is_retry)
    post = _Post(batch, origin, sent_at, move, _place(batch.context, origin, sent_at))
    records: list[Record] = []
    event_types: list[str] = []
    rejected: list[Rejection] = []
    duplicates: list[int] = []
    seen: set[tuple[str, str]] = set()
    for index, event in enumerate(batch.events):
        if isinstance(event, Rejection):
            rejected.append(event)
            continue
        try:
            place, fields, value = _encode(event, post)
        except _Rejected as reason:
            rejected.append(_rejection(index, event, reason))
            continue
        identifier = (fields.event_id, place.device_id)
        if identifier in seen:
            duplicates.append(index)
            continue
        seen.add(identifier)
        records.append(Record(APP_EVENTS.name, place.device_id.encode(), value))
        event_types.append(fields.event_type)
    return Prepared(records, event_types, rejected, duplicates)


def _encode(event: Event, post: _Post) -> tuple[_Place, EventFields, bytes]:
    place = post.place
    if event.context is not None:
        merged = contexts.merge(post.batch.context, event.context)
        place = _place(merged, post.origin, post.sent_at)
    if place is None:
        raise _Rejected(Code.MISSING_FIELD, "`device.id` is missing - at `$.context`")
    if len(place.device_id) > (limit := post.batch.max_id_length):
        raise _Rejected(Code.ID_TOO_LONG, f"`device.id` is longer than {limit} - at `$.context`")
    fields = _fields(event, place, post)
    value = record.encode(fields)
    _check_size(event, fields, value)
    return place, fields, value


def _place(context: Context | None, origin: Origin, sent_at: datetime | None) -> _Place | None:
    device_id = context.device.id if context is not None and context.device is not None else None
    if not device_id:
        return None
    fields: ContextFields = contexts.fields_of(context, device_id, origin, sent_at)
    return _Place(device_id, record.suffix_of(fields))


def _fields(event: Event, place: _Place, post: _Post) -> EventFields:
    event_type, event_name = event.type, event.name or ""
    if event_type not in EVENT_TYPES:
        event_type, event_name = "track", event.type
    elif event_type in NAMED_TYPES and not event_name:
        raise _Rejected(Code.MISSING_FIELD, f"`name` is required for type `{event_type}`")
    app_id = post.origin.app_id
    received_at = post.origin.received_at
    occurred_at, ts, quality = skew.correct(event.timestamp, post.sent_at, received_at, post.move)
    event_id = identity.as_uuid(event.event_id)
    properties = _properties(event, post.batch.extras, quality)
    fields = EventFields(
        event_id=event_id or identity.foreign(app_id, event.event_id),
        source_event_id="" if event_id else event.event_id,
        event_type=event_type,
        event_name=event_name,
        occurred_at=occurred_at,
        ts=ts,
        time_quality=quality,
        session_id=_session(event.session_id, app_id, place.device_id),
        user_id=event.user_id or "",
        sequence=event.sequence or 0,
        duration_ms=_duration(event_type, properties),
        properties=properties,
        received_at=place.suffix,
    )
    if event_type not in CRASH_TYPES:
        return fields
    return _with_crash(fields, event.crash or Crash(fatal=event_type == "app_crash"))


def _properties(event: Event, extras: dict[str, Raw], quality: str) -> dict[str, Raw]:
    """The event's properties, and what has no column of its own."""
    properties = event.properties or {}
    added: dict[str, Raw] = {}
    if quality == "invalid" and event.timestamp is not None:
        added["$timestamp"] = Raw(msgspec.json.encode(event.timestamp))
    if event.crash is not None and event.type not in CRASH_TYPES:
        added["$event.crash"] = Raw(msgspec.json.encode(event.crash))
    return {**extras, **properties, **added} if extras or added else properties


def _session(session_id: str | None, app_id: str, device_id: str) -> str:
    if not session_id:
        return ""
    return identity.as_uuid(session_id) or identity.foreign(app_id, device_id, session_id)


def _duration(event_type: str, properties: dict[str, Raw]) -> int:
    """`properties.duration_ms` of an app_close, where it is a number in range."""
    if event_type != "app_close" or "duration_ms" not in properties:
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
        crash_group_version=crashes.GROUP_VERSION,
        properties={**fields.properties, **columns.extras},
    )


def _check_size(event: Event, fields: EventFields, value: bytes) -> None:
    """The limit counts the event as it came: without its context, its stack not yet escaped."""
    limit = MAX_EVENT_BYTES if event.crash is None else MAX_CRASH_EVENT_BYTES
    if len(value) <= limit:
        return
    own = len(value) - len(bytes(fields.received_at))
    if fields.crash_stack:
        own += len(fields.crash_stack.encode()) - len(msgspec.json.encode(fields.crash_stack))
    if own > limit or len(value) > MAX_RECORD_BYTES:
        raise _Rejected(Code.EVENT_TOO_LARGE, f"the event has {own} bytes, the limit is {limit}")


def _rejection(index: int, event: Event, reason: _Rejected) -> Rejection:
    return Rejection(
        index=index,
        code=reason.code,
        text=f"{reason} - at `$.events[{index}]`" if "`$" not in str(reason) else str(reason),
        event_id=event.event_id,
        original=msgspec.json.encode(event),
    )
