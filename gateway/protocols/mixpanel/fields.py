"""The fields that every Mixpanel item has: time, who, where, which session."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_PROPERTIES, MAX_SEQUENCE, Event
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times
from gateway.protocols.mixpanel.context import take_context
from gateway.protocols.mixpanel.item import METADATA, Item, checked
from gateway.protocols.reading import take

ANONYMOUS = "$device:"  # before a distinct_id that is an install, not a user


def event_of(item: Item, properties: dict[str, Raw], event_id: str, time_key: str) -> Event:
    """An event without its type. What has a field leaves `properties`, the rest are the event's
    own. Raises Rejected."""
    if len(properties) > MAX_PROPERTIES:
        text = f"`properties` has {len(properties)} entries, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)
    time = properties.pop(time_key, None)
    timestamp = times.parse(reading.as_value(time))
    if timestamp is None and time is not None:
        properties["$timestamp"] = time
    user_id = checked("$user_id", take(properties, "$user_id"))
    context = take_context(properties, _device(properties, user_id))
    library = (context.library.name if context.library else None) or ""
    session_id, sequence = _session(item, library)
    properties.update(_others(item, is_session_taken=bool(session_id)))
    return Event(
        event_id=event_id,
        type="track",
        timestamp=timestamp,
        session_id=session_id or None,
        user_id=user_id or None,
        sequence=sequence,
        properties=properties,
        context=context,
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


def _session(item: Item, library: str) -> tuple[str, int | None]:
    """Session and place in it. React Native in JavaScript makes a new session for every event,
    each with its first place: such an id says nothing."""
    session_id = item.metadata_text("$mp_session_id")[:MAX_FOREIGN_ID_LENGTH]
    place = reading.as_value(item.metadata.get("$mp_session_seq_id"))
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place <= MAX_SEQUENCE:
        place = None
    if not place and library.lower().startswith("react-native"):
        return "", None
    return session_id, place


def _others(item: Item, *, is_session_taken: bool) -> dict[str, Raw]:
    """Keys without a field, named after where they stood."""
    found: dict[str, Raw] = {}
    if "event" in item.keys:
        placed = {"event", METADATA, "$token"}
        if item.properties:
            placed.add("properties")
        found = {f"$event.{name}": item.keys[name] for name in item.keys.keys() - placed}
    taken = {"$mp_event_id"}
    if is_session_taken:
        taken |= {"$mp_session_id", "$mp_session_seq_id"}
    for name in item.metadata.keys() - taken:
        found[f"$event.{METADATA}.{name}"] = item.metadata[name]
    return {name: found[name] for name in sorted(found)}
