"""One item of /track or /engage as native events."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_NAME_LENGTH, Crash, Event, ExceptionInfo
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading
from gateway.protocols.mixpanel.fields import ANONYMOUS, event_of
from gateway.protocols.mixpanel.item import METADATA, Item, checked
from gateway.protocols.mixpanel.names import LIFECYCLE, SESSION
from gateway.protocols.mixpanel.visit import visit
from gateway.protocols.reading import take

_java_class = re.compile(r"([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+)(?::|$)")
_encode = msgspec.json.Encoder().encode


def events_of(item: Item, *, is_profile: bool, is_import: bool) -> list[Event] | Rejection:
    """The item's event, or the two that a session is. `is_profile`: it came to /engage."""
    try:
        _check(item, is_import=is_import)
        return [_profile(item)] if is_profile else _tracked(item)
    except Rejected as reason:
        event_id = reading.as_text(item.properties.get("$insert_id"))[:64]
        text = f"{reason} - at `$[{item.index}]`"
        return Rejection(item.index, reason.code, text, event_id, bytes(item.raw))


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
    source = take(properties, "$insert_id") or item.metadata_text("$mp_event_id")
    source = source or _own_id(item, item.properties.get("time"), _named_id)
    event = event_of(item, properties, checked("$insert_id", source), "time")
    event.type = LIFECYCLE.get(name.lower(), "track")
    if event.type == "track":
        _name(event, name, properties)
    elif event.type == "app_crash":
        event.crash = _crash(properties)
    elif event.type == "identify" and event.user_id is None:
        event.user_id = checked("$identified_id", take(properties, "$identified_id")) or None
    return visit(event) if name.lower() == SESSION else [event]


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
    event = event_of(item, properties, checked("$mp_event_id", source), "$time")
    event.type = "identify"
    if event.user_id is None and not distinct_id.startswith(ANONYMOUS):
        event.user_id = checked("$distinct_id", distinct_id) or None
        properties.pop("distinct_id", None)
    return event


def _name(event: Event, name: str, properties: dict[str, Raw]) -> None:
    """A name beyond the limit is cut, its whole kept beside."""
    event.name = name[:MAX_NAME_LENGTH]
    if len(name) > MAX_NAME_LENGTH:
        properties["$event.name"] = Raw(_encode(name))


def _crash(properties: dict[str, Raw]) -> Crash:
    """Android writes an exception as text: its class, a colon, its message."""
    reason = take(properties, "$ae_crashed_reason")
    found = _java_class.match(reason or "")
    exception = ExceptionInfo(type=found[1] if found else None, message=reason)
    return Crash(kind="exception", exception=exception)
