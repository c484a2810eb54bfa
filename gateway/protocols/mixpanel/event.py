"""One item of /track or /engage as native events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_NAME_LENGTH, Crash, Event, ExceptionInfo
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading
from gateway.protocols.mixpanel.fields import (
    ANONYMOUS,
    check_count,
    event_of,
    take_time,
    take_who,
)
from gateway.protocols.mixpanel.item import METADATA, Item, Told, checked, item_of
from gateway.protocols.mixpanel.names import LIFECYCLE, SESSION
from gateway.protocols.mixpanel.visit import visit
from gateway.protocols.reading import take

_java_class = re.compile(r"([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+)(?::|$)")
_encode = msgspec.json.Encoder().encode


def told_by(index: int, raw: Raw, request_id: str, *, is_profile: bool, is_import: bool) -> Told:
    """What a member tells: its event, or the two that a session is. `is_profile`: it came to
    /engage."""
    item = item_of(index, raw, request_id)
    return Told(index, item.token, _events(item, is_profile=is_profile, is_import=is_import))


def _events(item: Item, *, is_profile: bool, is_import: bool) -> Sequence[Event | Rejection]:
    try:
        _check(item, is_import=is_import)
        return [_profile(item)] if is_profile else _tracked(item)
    except Rejected as reason:
        event_id = reading.as_text(item.properties.get("$insert_id"))[:64]
        text = f"{reason} - at `$[{item.index}]`"
        return [Rejection(item.index, reason.code, text, event_id, bytes(item.raw))]


def _check(item: Item, *, is_import: bool) -> None:
    if not item.keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    if is_import and "time" not in item.properties:  # what is imported may be imported again
        raise Rejected(Code.MISSING_FIELD, "`time` is missing")
    if not is_import and not item.token:
        raise Rejected(Code.MISSING_FIELD, "`token` is missing")


def _tracked(item: Item) -> list[Event]:
    name = reading.as_text(item.keys.get("event"))
    if not name:
        raise Rejected(Code.MISSING_FIELD, "`event` is missing")
    properties = dict(item.properties)
    properties.pop("token", None)
    event_id = take_id(properties, item.metadata)
    event_id = event_id or _own_id(item, item.properties.get("time"), _named_id)
    check_count(properties)
    timestamp = take_time(properties, "time")
    who = take_who(properties)
    placed = {"event", METADATA, "$token"} | ({"properties"} if item.properties else set())
    others = {f"$event.{key}": raw for key, raw in item.keys.items() if key not in placed}
    event = event_of(event_id, timestamp, who, properties, item.metadata, others)
    return typed(event, name, properties)


def take_id(properties: dict[str, Raw], metadata: dict[str, Raw]) -> str:
    """Empty where it has none. Raises Rejected."""
    source = take(properties, "$insert_id") or reading.as_text(metadata.get("$mp_event_id"))
    return checked("$insert_id", source)


def typed(event: Event, name: str, properties: dict[str, Raw]) -> list[Event]:
    """The event by its name; a session as two. Raises Rejected."""
    lower = name.lower()
    event_type = LIFECYCLE.get(lower)
    if event_type is None:
        event.name = name[:MAX_NAME_LENGTH]
        if len(name) > MAX_NAME_LENGTH:  # its whole is kept beside
            properties["$event.name"] = Raw(_encode(name))
        return [event]
    event.type = event_type
    if event.type == "app_crash":
        event.crash = _crash(properties)
    elif event.type == "identify" and event.user_id is None:
        event.user_id = checked("$identified_id", take(properties, "$identified_id")) or None
    return visit(event) if lower == SESSION else [event]


def _own_id(item: Item, time: Raw | None, told_apart: Callable[[Item], str]) -> str:
    """An id of an item that has none. Without a time, as the Node SDK sends them, two equal ones
    are two events: that SDK sends none again. A balancer may, under the same request id."""
    if time is not None:
        return told_apart(item)
    if not item.request_id:
        return str(uuid4())
    return reading.content_id(bytes(item.raw), item.request_id.encode(), b"%d" % item.index)


def _content_id(item: Item) -> str:
    return reading.content_id(bytes(item.raw))


def _named_id(item: Item) -> str:
    """An id of what Mixpanel itself tells events apart by."""
    values = (item.keys["event"], item.properties.get("time"), item.properties.get("distinct_id"))
    return reading.content_id(*(bytes(value or b"") for value in values))


def _profile(item: Item) -> Event:
    """A change of a user's profile: its operations are the properties."""
    properties = {name: raw for name, raw in item.keys.items() if name not in ("$token", METADATA)}
    if "$distinct_id" in properties:
        properties["distinct_id"] = properties.pop("$distinct_id")
    distinct_id = reading.as_text(properties.get("distinct_id"))
    source = item.metadata_text("$mp_event_id")
    source = source or _own_id(item, properties.get("$time"), _content_id)
    event_id = checked("$mp_event_id", source)
    check_count(properties)
    timestamp = take_time(properties, "$time")
    event = event_of(event_id, timestamp, take_who(properties), properties, item.metadata, {})
    event.type = "identify"
    if event.user_id is None and not distinct_id.startswith(ANONYMOUS):
        event.user_id = checked("$distinct_id", distinct_id) or None
        properties.pop("distinct_id", None)
    return event


def _crash(properties: dict[str, Raw]) -> Crash:
    """Android writes an exception as text: its class, a colon, its message."""
    reason = take(properties, "$ae_crashed_reason")
    found = _java_class.match(reason or "")
    exception = ExceptionInfo(type=found[1] if found else None, message=reason)
    return Crash(kind="exception", exception=exception)
