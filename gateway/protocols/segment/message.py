"""One Segment call (track, screen, identify …) as a native event."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Context,
    Crash,
    Device,
    Event,
    ExceptionInfo,
    Network,
)
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading, times
from gateway.protocols.loose import context_of
from gateway.protocols.segment.names import CALLS, LIFECYCLE

# Keys with a place of their own, and keys that only steer the vendor's machinery.
_PLACED = {
    "type", "event", "name", "messageId", "anonymousId", "userId", "timestamp", "originalTimestamp",
    "sentAt", "context", "properties", "traits", "category",
}  # fmt: skip
_PLUMBING = {"integrations", "_metadata", "writeKey", "channel", "receivedAt"}
REPEATED_BYTES = 4096  # of a context that is remembered

_encode = msgspec.json.Encoder().encode


class Name(Struct, frozen=True, gc=False):
    type: str
    name: str
    extras: dict[str, Raw]


class Where(Struct, frozen=True, gc=False):
    """What a call's context says. `extras` are properties that keep what has no field."""

    context: Context
    extras: dict[str, Raw]
    session_id: str  # RudderStack's; Segment has none


def event_of(index: int, raw: Raw, call: str, sent_at: Raw | None) -> Event | Rejection:
    """The event of one call. `call` is what the path says where the call itself says no type."""
    keys = reading.as_object(raw)
    message_id = reading.as_text(keys.get("messageId"))
    try:
        return _event(keys, message_id or reading.content_id(bytes(raw)), call, sent_at)
    except Rejected as reason:
        text = f"{reason} - at `$.batch[{index}]`"
        return Rejection(index, reason.code, text, message_id[:64], bytes(raw))


def _event(keys: dict[str, Raw], event_id: str, call: str, sent_at: Raw | None) -> Event:
    if not keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    if len(event_id) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`messageId` is longer than {MAX_FOREIGN_ID_LENGTH}")
    user_id = reading.as_text(keys.get("userId"))
    if len(user_id) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`userId` is longer than {MAX_FOREIGN_ID_LENGTH}")
    kind = reading.as_text(keys.get("type")) or call
    named = name_of(kind, reading.as_text(keys.get("event")), reading.as_text(keys.get("name")))
    install = reading.as_text(keys.get("anonymousId"))
    where = where_of(bytes(keys.get("context") or b"null"), install, user_id)
    properties = {**_properties(keys, named.type), **named.extras, **where.extras}
    sent = keys.get("originalTimestamp") or keys.get("timestamp") or keys.get("sentAt") or sent_at
    if sent is None:
        raise Rejected(Code.MISSING_FIELD, "`timestamp` is missing")
    timestamp = times.parse(reading.as_value(sent))
    if timestamp is None:
        properties["$timestamp"] = sent
    return Event(
        event_id=event_id,
        type=named.type,
        timestamp=timestamp,
        name=named.name or None,
        session_id=where.session_id or None,
        user_id=user_id or None,
        properties=properties,
        crash=crash_of(properties) if named.type == "app_crash" else None,
        context=where.context,
    )


def name_of(kind: str, event: str, name: str) -> Name:
    """Native type and name of a call; a name beyond the limit is cut, its whole kept beside."""
    if kind in ("track", ""):
        if not event:
            raise Rejected(Code.MISSING_FIELD, "`event` is missing")
        lifecycle = LIFECYCLE.get(event.lower())
        if lifecycle:
            return Name(lifecycle, "", {})
        event_type, name = "track", event
    else:
        event_type = CALLS.get(kind, "track")
        if event_type == "track":
            name = kind
        elif event_type != "identify":
            name = name or kind
    if len(name) <= MAX_NAME_LENGTH:
        return Name(event_type, name, {})
    return Name(event_type, name[:MAX_NAME_LENGTH], {"$event.name": Raw(_encode(name))})


def _properties(keys: dict[str, Raw], event_type: str) -> dict[str, Raw]:
    properties = reading.as_object(keys.get("properties"))
    if event_type == "identify" or "properties" not in keys:
        properties = {**reading.as_object(keys.get("traits")), **properties}
    elif "traits" in keys:
        properties["$event.traits"] = keys["traits"]
    if "category" in keys:
        properties.setdefault("category", keys["category"])
    if len(properties) > MAX_PROPERTIES:
        raise Rejected(
            Code.TOO_MANY_PROPERTIES,
            f"`properties` has {len(properties)} entries, the limit is {MAX_PROPERTIES}",
        )
    others = keys.keys() - _PLACED - _PLUMBING
    return {**properties, **{f"$event.{name}": keys[name] for name in sorted(others)}}


def where_of(context: bytes, install: str, user_id: str) -> Where:
    """The call's own context, in our fields; the device is the install, else the user."""
    if len(context) > REPEATED_BYTES:
        return _read_context(context, install, user_id)
    return _repeated_context(context, install, user_id)


@lru_cache(maxsize=16)
def _repeated_context(raw: bytes, install: str, user_id: str) -> Where:
    """Every call of a batch repeats it. Nobody changes what is returned."""
    return _read_context(raw, install, user_id)


def _read_context(raw: bytes, install: str, user_id: str) -> Where:
    value = reading.as_value(Raw(raw))
    parts = dict(value) if isinstance(value, dict) else {}
    app = parts.get("app")
    if isinstance(app, dict) and "namespace" in app:
        parts["app"] = {
            **{k: v for k, v in app.items() if k != "namespace"},
            "id": app["namespace"],
        }
    network = parts.pop("network", None)
    parts.pop("sessionId", None)
    session_id = reading.as_text(reading.as_object(raw).get("sessionId"))
    loose = context_of(parts)
    context = loose.context or Context()
    extras = dict(loose.extras)
    if isinstance(network, dict):
        context.network = _network(network, extras)
    device = context.device or Device()
    if install and device.id and device.id != install:
        extras["$context.device.id"] = Raw(_encode(device.id))
    device.id = install or device.id or user_id or None
    context.device = device
    return Where(context, extras, session_id[:MAX_FOREIGN_ID_LENGTH])


def _network(value: dict[str, object], extras: dict[str, Raw]) -> Network:
    """Segment says which links are up; wifi wins, as on the phone."""
    kind = (
        "wifi" if value.get("wifi") is True else "cellular" if value.get("cellular") is True else ""
    )
    carrier = value.get("carrier")
    for name, part in value.items():
        if name not in ("wifi", "cellular", "carrier") and part is not None:
            extras[f"$context.network.{name}"] = Raw(_encode(part))
    return Network(type=kind, carrier=carrier if isinstance(carrier, str) else None)


def crash_of(properties: dict[str, Raw]) -> Crash:
    """`Application Crashed` has no fixed shape; these are the keys people use."""
    kind = reading.as_text(properties.get("type") or properties.get("name"))
    said = properties.get("message") or properties.get("reason") or properties.get("error")
    text = reading.as_text(said)
    stack = reading.as_text(properties.get("stacktrace") or properties.get("stack_trace"))
    return Crash(
        kind="exception",
        exception=ExceptionInfo(type=kind or None, message=text or None),
        stacktrace=stack or None,
    )
