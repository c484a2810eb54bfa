"""One event of PostHog's as a native one."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Crash,
    Event,
    Library,
)
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading, times
from gateway.protocols.posthog.body import Item
from gateway.protocols.posthog.context import take_text
from gateway.protocols.posthog.crash import take_crash
from gateway.protocols.posthog.names import COUNTED, EXCEPTION, IDENTIFY, RETURNED, TYPES
from gateway.protocols.posthog.who import Who, take_who

# Keys with a place of their own, and keys that only steer the vendor's machinery.
_PLACED = {
    "event", "uuid", "distinct_id", "timestamp", "properties", "session_id", "library",
    "library_version", "offset",
}  # fmt: skip
_PLUMBING = {
    "api_key", "token", "sent_at", "historical_migration", "send_feature_flags", "type",
}  # fmt: skip
_PERSON = ("$set", "$set_once")  # beside the properties in the older API, among them in v1
_NOTHING = (b"{}", b"[]", b'""')
_encode = msgspec.json.Encoder().encode


class Sent(Struct, frozen=True, gc=False):
    """What the POST says of all its events."""

    at: datetime | None
    library: Library | None  # by its head; the events of the older API name it themselves


def is_counted_only(item: Item) -> bool:
    return reading.as_text(item.keys.get("event")).lower() in COUNTED


def event_of(index: int, item: Item, sent: Sent) -> Event | Rejection:
    uuid = reading.as_text(item.keys.get("uuid") or item.properties.get("$insert_id"))
    try:
        return _event(item, uuid, sent)
    except Rejected as reason:
        text = f"{reason} - at `$.batch[{index}]`"
        return Rejection(index, reason.code, text, uuid[:MAX_FOREIGN_ID_LENGTH], bytes(item.raw))


def _event(item: Item, uuid: str, sent: Sent) -> Event:
    keys, properties = item.keys, dict(item.properties)
    if not keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    name = reading.as_text(keys.get("event"))
    if not name:
        raise Rejected(Code.MISSING_FIELD, "`event` is missing")
    if len(uuid) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`uuid` is longer than {MAX_FOREIGN_ID_LENGTH}")
    timestamp = _timestamp(keys, properties, sent)
    who = take_who(
        properties,
        reading.as_text(keys.get("distinct_id")),
        reading.as_text(keys.get("session_id")),
        reading.as_text(keys.get("library")),
        reading.as_text(keys.get("library_version")),
        sent.library,
    )
    said = named(name, properties)
    event = finished(uuid or _content_id(item), said, timestamp, who, properties)
    event.properties = _with_others(properties, keys)
    return event


class Named(Struct, frozen=True, gc=False):
    type: str
    name: str = ""
    crash: Crash | None = None
    is_identify: bool = False


def finished(
    event_id: str,
    said: Named,
    timestamp: datetime | None,
    who: Who,
    properties: dict[str, Raw],
) -> Event:
    """The event, once all that has a place of its own is out of its properties. Raises
    Rejected."""
    properties.pop("token", None)
    properties.pop("$insert_id", None)
    if len(properties) > MAX_PROPERTIES:
        text = f"`properties` has {len(properties)} entries, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)
    user_id = who.distinct_id if who.is_identified or said.is_identify else ""
    if who.distinct_id and who.distinct_id not in (who.device_id, user_id):
        properties["$event.distinct_id"] = Raw(_encode(who.distinct_id))
    return Event(
        event_id=event_id,
        type=said.type,
        timestamp=timestamp,
        name=said.name or None,
        session_id=who.session_id or None,
        user_id=user_id or None,
        properties=properties,
        crash=said.crash,
        context=who.context,
    )


def _timestamp(keys: dict[str, Raw], properties: dict[str, Raw], sent: Sent) -> datetime | None:
    """None is a time that is none; its original becomes a property."""
    given = keys.get("timestamp") or properties.pop("$time", None)
    if given is not None:
        instant = times.parse(reading.as_value(given))
        if instant is None:
            properties["$timestamp"] = given
        return instant
    if sent.at is None:
        raise Rejected(Code.MISSING_FIELD, "`timestamp` is missing")
    before = reading.as_value(keys.get("offset"))  # milliseconds; so browsers tell the time
    if isinstance(before, int | float) and not isinstance(before, bool):
        try:
            return sent.at - timedelta(milliseconds=before)
        except OverflowError:
            properties["$timestamp"] = keys["offset"]
            return None
    return sent.at


def named(name: str, properties: dict[str, Raw]) -> Named:
    """Native type, name and crash; a name beyond the limit is cut, its whole kept beside."""
    lower = name.lower()
    if lower == EXCEPTION:
        found = take_crash(properties)
        return Named("app_crash" if found.is_fatal else "error", crash=found.crash)
    event_type = TYPES.get(lower, "track")
    if lower == RETURNED:
        properties.setdefault("from_background", Raw(b"true"))
    if event_type == "screen":
        name = take_text(properties, "$screen_name") or name
    elif event_type != "track":
        return Named(event_type, is_identify=lower == IDENTIFY)
    if len(name) > MAX_NAME_LENGTH:
        properties["$event.name"] = Raw(_encode(name))
    return Named(event_type, name[:MAX_NAME_LENGTH])


def _with_others(properties: dict[str, Raw], keys: dict[str, Raw]) -> dict[str, Raw]:
    """The properties, and what stands beside them without a field of ours."""
    others: dict[str, Raw] = {}
    for name in sorted(keys.keys() - _PLACED - _PLUMBING):
        if bytes(keys[name]) in _NOTHING:
            continue
        is_person = name in _PERSON and name not in properties
        others[name if is_person else f"$event.{name}"] = keys[name]
    if "properties" in keys and not properties and bytes(keys["properties"])[:1] != b"{":
        others["$event.properties"] = keys["properties"]
    return {**properties, **others}


def _content_id(item: Item) -> str:
    """The same event sent again has the same one. Without a time of its own it has only the time
    it was sent: then two of them are rather kept twice than taken for one."""
    has_time = "timestamp" in item.keys or "offset" in item.keys or "$time" in item.properties
    parts = [
        b"%b=%b" % (name.encode("utf-8", "replace"), bytes(raw))
        for name, raw in sorted(item.keys.items())
        if name != "sent_at" or not has_time
    ]
    return reading.content_id(*parts)
