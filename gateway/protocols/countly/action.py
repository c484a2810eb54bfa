"""The actions of one Countly request as native events."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, structs

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Context,
    Event,
)
from gateway.contract.refusal import Refused
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import items, reading
from gateway.protocols.countly import strict
from gateway.protocols.countly.context import take_context
from gateway.protocols.countly.crash import take_crash
from gateway.protocols.countly.request import ACTIONS, Request
from gateway.protocols.countly.strict import VIEW
from gateway.protocols.loose import without_nulls

_encode = msgspec.json.Encoder().encode


def events_of(request: Request) -> list[Event | Rejection]:
    """One for each session start and end, crash and profile; as many as `events` holds."""
    found: list[Event | Rejection] = []
    for action in ACTIONS:
        text = request.fields.get(action)
        if not text:
            continue
        makers = {"events": _events, "crash": _crash, "user_details": _profile}
        maker = makers.get(action)
        try:
            found += maker(request, text) if maker else _session(request, action)
        except (Rejected, Refused) as reason:
            code = reason.code if isinstance(reason, Rejected) else Code.INVALID_JSON
            at = f"{reason} - at `{action}`"
            found.append(Rejection(0, code, at, "", text))
    return [
        structs.replace(one, index=index) if isinstance(one, Rejection) else one
        for index, one in enumerate(found)
    ]


def _session(request: Request, action: str) -> Iterator[Event]:
    text = request.fields.get("metrics") if action == "begin_session" else None
    properties = without_nulls(reading.json_object(text)) if text else {}
    if action == "end_session" and (seconds := request.text("session_duration")):
        properties["session_duration"] = Raw(_number(seconds))
    event_type = "session_start" if action == "begin_session" else "session_end"
    yield _event(request, event_type, request.event_id(action), properties)


def _events(request: Request, text: bytes) -> Iterator[Event | Rejection]:
    raws = items.items_of(text)
    context = _shared_context(request)
    for index, raw in enumerate(raws):
        if context is not None and (usual := strict.event_of(raw, context)) is not None:
            yield usual
            continue
        try:
            yield tracked(request, index, raw)
        except Rejected as reason:
            at = f"{reason} - at `events[{index}]`"
            yield Rejection(0, reason.code, at, "", bytes(raw))


def _shared_context(request: Request) -> Context | None:
    """Of all members of `events`; None where none of them has one."""
    try:
        return take_context(request, {})
    except Rejected:
        return None


def tracked(request: Request, index: int, raw: Raw) -> Event:
    """A member of `events`. Raises Rejected."""
    keys = without_nulls(reading.as_object(raw))
    if not keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    name = reading.as_text(keys.get("key"))
    if not name:
        raise Rejected(Code.MISSING_FIELD, "`key` is missing")
    segmentation = without_nulls(reading.as_object(keys.get("segmentation")))
    properties = dict(segmentation)
    placed = {"key", "id", "timestamp", "hour", "dow"}
    if segmentation or bytes(keys.get("segmentation", b"")) == b"{}":
        placed.add("segmentation")
    properties |= {f"$event.{one}": keys[one] for one in sorted(keys.keys() - placed)}
    # The end of a view comes under the same key: only its start is marked as a visit.
    is_screen = name == VIEW and "visit" in segmentation
    if is_screen:
        name = reading.as_text(properties.pop("name", None)) or name
    source = reading.as_text(keys.get("id"))
    event_id = source or request.event_id("events", str(index).encode(), bytes(raw))
    kind = "screen" if is_screen else "track"
    event = _event(request, kind, event_id, properties, keys.get("timestamp"))
    event.name = name[:MAX_NAME_LENGTH]
    if len(name) > MAX_NAME_LENGTH:
        properties["$event.name"] = Raw(_encode(name))
    return event


def _crash(request: Request, text: bytes) -> Iterator[Event]:
    properties = without_nulls(reading.json_object(text))
    crash = take_crash(properties)
    event_type = "app_crash" if crash.fatal else "error"
    event = _event(request, event_type, request.event_id("crash", text), properties)
    event.crash = crash
    yield event


def _profile(request: Request, text: bytes) -> Iterator[Event]:
    properties = without_nulls(reading.json_object(text))
    user_id = reading.as_text(properties.get("username"))
    event = _event(request, "identify", request.event_id("user_details", text), properties)
    if len(user_id) <= MAX_FOREIGN_ID_LENGTH:
        event.user_id = user_id or None
    yield event


def _event(
    request: Request,
    event_type: str,
    event_id: str,
    properties: dict[str, Raw],
    timestamp: Raw | None = None,
) -> Event:
    """What has a field leaves `properties`, the rest are the event's own. Raises Rejected."""
    if len(properties) > MAX_PROPERTIES:
        text = f"there are {len(properties)} properties, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)
    if len(event_id) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`id` is longer than {MAX_FOREIGN_ID_LENGTH}")
    context = take_context(request, properties if event_type not in ("track", "screen") else {})
    return Event(
        event_id=event_id,
        type=event_type,
        timestamp=request.timestamp(timestamp, properties),
        properties=properties,
        context=context,
    )


def _number(text: str) -> bytes:
    try:
        return _encode(float(text))
    except ValueError:
        return _encode(text)
