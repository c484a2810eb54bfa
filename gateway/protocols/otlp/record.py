"""One log record as a native event."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    CRASH_TYPES,
    MAX_CONTEXT_BYTES,
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Crash,
    Event,
    ExceptionInfo,
)
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times
from gateway.protocols.loose import text_of
from gateway.protocols.otlp.logs import Attributes, LogRecord, too_many
from gateway.protocols.otlp.names import EXCEPTION, Named, first_text, named
from gateway.protocols.otlp.place import PLACE_NAMES, SESSION_ID, USER_ID, Place, moved

_EVENT_NAME = "event.name"  # an attribute, before it became a field
_BODY = "body"
_USERS = frozenset(USER_ID)
_ELSEWHERE = PLACE_NAMES | _USERS
(_SESSION,) = SESSION_ID
_IDS = ("log.record.uid",)
_CRASH_IDS = ("app.crash.id", *_IDS)
_encode = msgspec.json.Encoder(order="deterministic").encode
_encode_value = msgspec.json.Encoder().encode


class Around(Struct, frozen=True, gc=False):
    """What a record's resource and scope say."""

    place: Place
    scope: dict[str, Raw]
    is_shared: bool  # by all records of the POST: the place is the batch's, no event repeats it
    is_too_large: bool  # for every record to carry it
    has_long_ids: bool  # longer than an id of a record may be


def event_of(record: LogRecord, around: Around) -> Event | None:
    """The event of a record; None when it is none of ours. Raises Rejected."""
    attributes, event_name = record.attributes, record.event_name
    lifted: set[str] = set()  # attributes with a place of their own; set[str]() is dear
    if not event_name and (event_name := first_text(attributes, (_EVENT_NAME,))):
        lifted.add(_EVENT_NAME)
    name = named(event_name, attributes)
    if name is None:
        return None
    if around.is_too_large or record.time is None or len(attributes) > MAX_PROPERTIES:
        raise _wrong(record, around)
    place = around.place
    user_id, session_id = place.user_id, place.session_id
    if around.has_long_ids or not _ELSEWHERE.isdisjoint(attributes):
        if not PLACE_NAMES.isdisjoint(attributes):
            place, of_place = moved(place, attributes)
            lifted |= of_place
        user_id = _id(USER_ID, attributes, user_id, lifted)
    if around.has_long_ids or _SESSION in attributes:
        session_id = _id(SESSION_ID, attributes, session_id, lifted)
    ids = _CRASH_IDS if name.type == "app_crash" else _IDS
    event_id = _id(ids, attributes, "", lifted) or _content_id(record, place)
    crash = _crash(name, attributes, lifted) if name.type in CRASH_TYPES else None
    properties: dict[str, Raw] = {}
    if record.others or name.type == "screen" or len(name.name) > MAX_NAME_LENGTH:
        properties = _others(record, name, event_name)
    if not around.is_shared:
        properties = {**around.place.extras, **around.scope, **properties}
    elif around.scope:
        properties = {**around.scope, **properties}
    for key, value in attributes.items():
        if key not in lifted:
            properties[key] = Raw(_encode_value(value))
    if record.body not in (None, ""):
        taken = _BODY in properties
        properties[f"$event.{_BODY}" if taken else _BODY] = Raw(_encode(record.body))
    timestamp = times.parse(record.time)
    if timestamp is None:
        properties["$timestamp"] = Raw(_encode(record.time))
    return Event(
        event_id=event_id,
        type=name.type,
        timestamp=timestamp,
        name=name.name[:MAX_NAME_LENGTH] or None,
        session_id=session_id or None,
        user_id=user_id or None,
        properties=properties,
        crash=crash,
        context=None if around.is_shared and place is around.place else place.context,
    )


def _wrong(record: LogRecord, around: Around) -> Rejected:
    if around.is_too_large:
        text = f"resource and scope have more than {MAX_CONTEXT_BYTES} bytes"
        return Rejected(Code.CONTEXT_TOO_LARGE, text)
    if record.time is None:
        return Rejected(Code.MISSING_FIELD, "`timeUnixNano` is missing")
    return Rejected(Code.TOO_MANY_PROPERTIES, too_many(len(record.attributes)))


def _others(record: LogRecord, name: Named, event_name: str) -> dict[str, Raw]:
    """The record's other fields, and its own name where the event's does not tell it."""
    others = {f"$event.{key}": raw for key, raw in record.others.items()} if record.others else {}
    if event_name and (name.type == "screen" or len(name.name) > MAX_NAME_LENGTH):
        others["$event.eventName"] = Raw(_encode(event_name))
    return others


def _id(names: tuple[str, ...], attributes: Attributes, around: str, lifted: set[str]) -> str:
    """The first of these ids, the record's before its resource's. Raises Rejected."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (found := value if type(value) is str else text_of(value)):
            lifted.add(name)
            break
    else:
        name, found = names[0], around
    if len(found) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`{name}` is longer than {MAX_FOREIGN_ID_LENGTH}")
    return found


def _content_id(record: LogRecord, place: Place) -> str:
    """A hash of all that a record without an id says: a copy sent again has the same."""
    said = (record.event_name, str(record.time), record.attributes, record.body, record.others)
    return reading.content_id(_encode(place.device_id), _encode(said))


def _crash(name: Named, attributes: Attributes, lifted: set[str]) -> Crash:
    kind, message, stack = (first_text(attributes, (key,)) or None for key in EXCEPTION)
    thread = {
        key.removeprefix("thread."): text
        for key in ("thread.id", "thread.name")
        if (text := first_text(attributes, (key,)))
    }
    lifted.update(key for key in EXCEPTION if first_text(attributes, (key,)))
    lifted.update(f"thread.{key}" for key in thread)
    crash = Crash(
        kind="exception",
        fatal=name.type == "app_crash",
        exception=ExceptionInfo(type=kind, message=message),
        stacktrace=stack,
    )
    if thread:
        crash.thread = Raw(_encode(thread))
    return crash
