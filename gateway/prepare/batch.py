"""One batch in, its Kafka records and the outcome of every event out.

Every event of the batch ends in exactly one of three places: a record, `rejected`, `duplicates`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.contract.event import (
    CRASH_TYPES,
    EVENT_TYPES,
    MAX_CRASH_EVENT_BYTES,
    MAX_EVENT_BYTES,
    NAMED_TYPES,
    Batch,
    Event,
)
from gateway.contract.record import EventFields, Run, encode
from gateway.contract.topics import APP_EVENTS, MAX_RECORD_BYTES
from gateway.contract.uuid_text import is_canonical
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.prepare.columns import Columns, Place, duration_of, own_id
from gateway.prepare.context import Origin

_TOPIC = APP_EVENTS.name
_PLAIN_TYPES = EVENT_TYPES - CRASH_TYPES


class Outcomes(Struct, frozen=True, gc=False):
    """What became of each event of one batch."""

    accepted: int
    event_types: dict[str, int]  # how many of each were accepted
    rejected: list[Rejection]
    duplicates: list[int]  # positions in the POST
    receipt: str = ""  # what the answer has to say of the body

    @property
    def decoded(self) -> int:
        return self.accepted + len(self.rejected) + len(self.duplicates)


class Prepared(Struct, frozen=True, gc=False):
    """`runs` are the accepted events: those of a device in their order."""

    runs: list[Run]
    outcomes: Outcomes


def prepare(batch: Batch, origin: Origin) -> Prepared:
    """Turn every event of `batch` into a record, a rejection or a duplicate.

    Most events have nothing that needs a second look: the batch's device and context, a known
    type, a time in the window. These are made into columns here, without a call; `Columns` makes
    the others, and would make the same of these.
    """
    columns = Columns(batch, origin)
    home, window = columns.home, columns.window
    home_device = home.device_id if home is not None else ""
    earliest, latest, move = window.earliest, window.latest, window.move
    app_id, extras = origin.app_id, batch.extras
    runs: dict[bytes, list[bytes]] = {}  # by key
    here: Place | None = None  # where the event before happened
    values: list[bytes] = []  # of the run that it is in
    event_types: dict[str, int] = {}
    rejected: list[Rejection] = []
    duplicates: list[int] = []
    seen: set[str | tuple[str, str]] = set()  # ids of the batch's device, and others with theirs
    session, session_id = None, ""  # of the event before: as it came, and as it is stored
    for index, event in batch.numbered():
        if type(event) is Rejection:  # isinstance would ask its metaclass, which costs more
            rejected.append(event)
            continue
        try:
            place = home
            at, event_type, name = event.timestamp, event.type, event.name or ""
            event_id, source_id = event.event_id, ""
            if (
                place is not None
                and event.context is None
                and event.crash is None
                and at is not None
                and earliest <= at <= latest
                and event_type in _PLAIN_TYPES
                and (name or event_type not in NAMED_TYPES)
            ):
                if not is_canonical(event_id):
                    event_id, source_id = own_id(app_id, event_id)
                identifier: str | tuple[str, str] = event_id
                if event.session_id != session:
                    session = event.session_id
                    session_id = columns.session_of(session, place)
                properties = event.properties or {}
                if extras:
                    properties = {**extras, **properties}
                fields = EventFields(
                    event_id=event_id,
                    source_event_id=source_id,
                    event_type=event_type,
                    event_name=name,
                    occurred_at=at,
                    ts=at + move,
                    time_quality=window.quality,
                    session_id=session_id,
                    user_id=event.user_id or "",
                    sequence=event.sequence or 0,
                    duration_ms=duration_of(properties) if event_type == "app_close" else 0,
                    properties=properties,
                    received_at=place.suffix,
                )
            else:
                place = columns.place_of(event)
                fields = columns.fields_of(event, place)
                event_type, identifier = fields.event_type, fields.event_id
                if place.device_id != home_device:
                    identifier = (fields.event_id, place.device_id)
            value = encode(fields)
            if len(value) > MAX_EVENT_BYTES:
                _check_size(event, fields, value)
        except Rejected as reason:
            rejected.append(_rejection(index, event, reason))
            continue
        if identifier in seen:
            duplicates.append(index)
            continue
        seen.add(identifier)
        if place is not here:
            here = place
            values = runs.setdefault(place.key, [])
        values.append(value)
        event_types[event_type] = event_types.get(event_type, 0) + 1
    accepted = sum(event_types.values())
    outcomes = Outcomes(accepted, event_types, rejected, duplicates, batch.receipt)
    return Prepared([Run(_TOPIC, key, of_key) for key, of_key in runs.items()], outcomes)


def _check_size(event: Event, fields: EventFields, value: bytes) -> None:
    """The limit counts the event as it came: without its context, its stack not yet escaped."""
    limit = MAX_EVENT_BYTES if event.crash is None else MAX_CRASH_EVENT_BYTES
    if len(value) <= limit:
        return
    own = len(value) - len(bytes(fields.received_at))
    if fields.crash_stack:
        own += len(fields.crash_stack.encode()) - len(msgspec.json.encode(fields.crash_stack))
    if own > limit or len(value) > MAX_RECORD_BYTES:
        raise Rejected(Code.EVENT_TOO_LARGE, f"the event has {own} bytes, the limit is {limit}")


def _rejection(index: int, event: Event, reason: Rejected) -> Rejection:
    return Rejection(
        index=index,
        code=reason.code,
        text=f"{reason} - at `$.events[{index}]`" if "`$" not in str(reason) else str(reason),
        event_id=event.event_id,
        original=msgspec.json.encode(event),
    )
