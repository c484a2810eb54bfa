"""One Amplitude event as a native event."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    MAX_SEQUENCE,
    Context,
    Event,
)
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading, times
from gateway.protocols.amplitude.context import take_context
from gateway.protocols.amplitude.names import PREFIX, SCREEN_NAME, TYPES
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import take

_encode = msgspec.json.Encoder().encode


def event_of(index: int, raw: Raw, sent_at: Raw | None) -> Event | Rejection:
    """`sent_at` stands in for the time of an event that has none, as Amplitude does."""
    keys = without_nulls(reading.as_object(raw))
    try:
        return _event(keys, raw, sent_at)
    except Rejected as reason:
        text = f"{reason} - at `$.events[{index}]`"
        event_id = reading.as_text(keys.get("insert_id"))[:64]
        return Rejection(index, reason.code, text, event_id, bytes(raw))


class Who(Struct, frozen=True, gc=False):
    """Who an event is of, and where they were."""

    user_id: str
    device_id: str
    context: Context


def _event(keys: dict[str, Raw], raw: Raw, sent_at: Raw | None) -> Event:
    """Whatever has a field leaves `keys`; the rest become `$event.` properties."""
    if not keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    name = take(keys, "event_type")
    if not name:
        raise Rejected(Code.MISSING_FIELD, "`event_type` is missing")
    event_type = type_of(name)
    who = take_who(keys)
    own_time = keys.pop("time", None) or keys.pop("timestamp", None)
    time = own_time or sent_at
    if time is None:
        raise Rejected(Code.MISSING_FIELD, "`time` is missing")
    event_id = take(keys, "insert_id", "uuid") or _named_id(keys, raw, who.device_id, own_time)
    sequence = _take_sequence(keys)
    session_id = _take_session(keys)
    properties = take_properties(keys, event_type)
    timestamp = times.parse(reading.as_value(time))
    if timestamp is None:
        properties["$timestamp"] = time
    return finished(
        _checked("insert_id", event_id), name, event_type, timestamp, session_id, sequence, who,
        properties, extras_of(keys),
    )  # fmt: skip


def type_of(name: str) -> str:
    return TYPES.get(name.lower(), "track")


def take_who(keys: dict[str, Raw]) -> Who:
    """Raises Rejected."""
    user_id = _checked("user_id", take(keys, "user_id"))
    device_id = _checked("device_id", take(keys, "device_id")) or user_id
    if not device_id:
        raise Rejected(Code.MISSING_FIELD, "`device_id` is missing")
    return Who(user_id, device_id, take_context(keys, device_id))


def extras_of(others: dict[str, Raw]) -> dict[str, Raw]:
    """Keys without a field as properties."""
    return {f"$event.{key}": others[key] for key in sorted(others)}


def finished(
    event_id: str,
    name: str,
    event_type: str,
    timestamp: datetime | None,
    session_id: str,
    sequence: int | None,
    who: Who,
    properties: dict[str, Raw],
    extras: dict[str, Raw],
) -> Event:
    """The event, once all that has a field is out of the other keys."""
    named = _name(name, event_type, properties)
    if extras:
        properties.update(extras)
    return Event(
        event_id=event_id,
        type=event_type,
        timestamp=timestamp,
        name=named or None,
        session_id=session_id or None,
        user_id=who.user_id or None,
        sequence=sequence,
        properties=properties,
        context=who.context,
    )


def _named_id(keys: dict[str, Raw], raw: Raw, device_id: str, time: Raw | None) -> str:
    """Old SDKs count their events: number and time make an id that stays over retries."""
    number = reading.as_text(keys.get("event_id"))
    named = f"{device_id}:{number}:{reading.as_text(time)}"
    if not number or time is None or len(named) > MAX_FOREIGN_ID_LENGTH:
        return reading.content_id(bytes(raw))
    return named


def _take_sequence(keys: dict[str, Raw]) -> int | None:
    """The count over all events where there is one: old SDKs have an `event_id` per kind."""
    for key in ("sequence_number", "event_id"):
        value = reading.as_value(keys.get(key))
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEQUENCE:
            del keys[key]
            return value
    return None


def _take_session(keys: dict[str, Raw]) -> str:
    """Sessions are named by their start in milliseconds; -1 is no session."""
    value = reading.as_value(keys.get("session_id"))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    del keys["session_id"]
    return session_of(value)


def session_of(value: float | str) -> str:
    text = str(value)
    return "" if text == "-1" else text[:MAX_FOREIGN_ID_LENGTH]


def take_properties(keys: dict[str, Raw], event_type: str) -> dict[str, Raw]:
    """The event's properties; of an identify, the operations on its user's."""
    own = "user_properties" if event_type == "identify" else "event_properties"
    properties = dict(reading.as_object(keys.get(own)))
    if properties or bytes(keys.get(own, b"")) == b"{}":
        del keys[own]
    for other in ("event_properties", "user_properties"):
        if bytes(keys.get(other, b"")) == b"{}":
            del keys[other]
    check_count(own, properties)
    return properties


def check_count(name: str, properties: dict[str, Raw]) -> None:
    """Raises Rejected."""
    if len(properties) > MAX_PROPERTIES:
        text = f"`{name}` has {len(properties)} entries, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)


def _name(name: str, event_type: str, properties: dict[str, Raw]) -> str:
    """A name beyond the limit is cut, its whole kept beside."""
    if event_type == "screen":
        name = reading.as_text(properties.pop(SCREEN_NAME, None)) or name.removeprefix(PREFIX)
    elif event_type == "track":
        name = name.removeprefix(PREFIX) or name
    else:
        return ""
    if len(name) > MAX_NAME_LENGTH:
        properties["$event.name"] = Raw(_encode(name))
    return name[:MAX_NAME_LENGTH]


def _checked(name: str, text: str | None) -> str:
    if text and len(text) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`{name}` is longer than {MAX_FOREIGN_ID_LENGTH}")
    return text or ""
