"""The fields that every Mixpanel item has: time, who, where, which session."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_PROPERTIES,
    MAX_SEQUENCE,
    Context,
    Event,
)
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times
from gateway.protocols.mixpanel.context import take_context
from gateway.protocols.mixpanel.item import METADATA, checked
from gateway.protocols.reading import take

_ID = ("$mp_event_id",)
_ID_AND_SESSION = (*_ID, "$mp_session_id", "$mp_session_seq_id")
ANONYMOUS = "$device:"  # before a distinct_id that is an install, not a user


class Who(Struct, frozen=True, gc=False):
    """Who an item is of, and where they were."""

    user_id: str
    context: Context


def take_who(properties: dict[str, Raw]) -> Who:
    """What has a field leaves `properties`. Raises Rejected."""
    user_id = checked("$user_id", take(properties, "$user_id"))
    return Who(user_id, take_context(properties, _device(properties, user_id)))


def take_time(properties: dict[str, Raw], key: str) -> datetime | None:
    """None is a time that is none; its original becomes a property, where there is one."""
    time = properties.pop(key, None)
    timestamp = times.parse(reading.as_value(time))
    if timestamp is None and time is not None:
        properties["$timestamp"] = time
    return timestamp


def check_count(properties: dict[str, Raw]) -> None:
    """Raises Rejected."""
    if len(properties) > MAX_PROPERTIES:
        text = f"`properties` has {len(properties)} entries, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)


def event_of(
    event_id: str,
    timestamp: datetime | None,
    who: Who,
    properties: dict[str, Raw],
    metadata: dict[str, Raw],
    others: dict[str, Raw],
) -> Event:
    """An event without its type. `properties` are what is left of them; `others` stood beside."""
    session_id, sequence = "", None
    if metadata:
        library = (who.context.library.name if who.context.library else None) or ""
        session_id, sequence = _session(metadata, library)
        others = {**others, **_others(metadata, is_session_taken=bool(session_id))}
    if others:
        properties.update({name: others[name] for name in sorted(others)})
    return Event(
        event_id=event_id,
        type="track",
        timestamp=timestamp,
        session_id=session_id or None,
        user_id=who.user_id or None,
        sequence=sequence,
        properties=properties,
        context=who.context,
    )


def _device(properties: dict[str, Raw], user_id: str) -> str:
    """The install; distinct_id stays only where it says something else."""
    anonymous = reading.as_text(properties.get("distinct_id")).removeprefix(ANONYMOUS)
    device_id = take(properties, "$device_id") or anonymous
    if not device_id:
        raise Rejected(Code.MISSING_FIELD, "`$device_id` is missing")
    if anonymous in (device_id, user_id):
        properties.pop("distinct_id", None)
    return checked("$device_id", device_id)


def _session(metadata: dict[str, Raw], library: str) -> tuple[str, int | None]:
    """Session and place in it. React Native in JavaScript makes a new session for every event,
    each with its first place: such an id says nothing."""
    session_id = reading.as_text(metadata.get("$mp_session_id"))[:MAX_FOREIGN_ID_LENGTH]
    place = reading.as_value(metadata.get("$mp_session_seq_id"))
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place <= MAX_SEQUENCE:
        place = None
    if not place and library.lower().startswith("react-native"):
        return "", None
    return session_id, place


def _others(metadata: dict[str, Raw], *, is_session_taken: bool) -> dict[str, Raw]:
    """Keys without a field, named after where they stood."""
    taken = _ID_AND_SESSION if is_session_taken else _ID
    return {f"$event.{METADATA}.{name}": raw for name, raw in metadata.items() if name not in taken}
