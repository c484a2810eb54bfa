"""One Sentry event as ours: a crash, a caught error, or a message."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Context,
    Device,
    Event,
)
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading
from gateway.protocols.loose import without_nulls
from gateway.protocols.sentry.context import context_of_event, library_of, release_of
from gateway.protocols.sentry.crash import Found, Thrown, crash_of, thrown_of
from gateway.protocols.sentry.frames import as_json, members
from gateway.protocols.sentry.names import PLAIN
from gateway.protocols.sentry.trim import trimmed
from gateway.protocols.sentry.wrapper import Wrapper

_PLACED = {
    "event_id", "timestamp", "message", "logentry", "contexts", "user", "release", "dist",
    "breadcrumbs", "tags", "sdk", "exception", "threads", "stacktrace",
}  # fmt: skip
_EMPTY = (b"{}", b"[]", b'""', b"null")
UNNAMED = "message"  # a message that says nothing


def event_of(payload: bytes, raw_keys: dict[str, Raw], wrapper: Wrapper) -> Event:
    """Raises Rejected."""
    keys = without_nulls(raw_keys)
    event_id = reading.as_text(keys.get("event_id")) or wrapper.event_id
    if len(event_id) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`event_id` is longer than {MAX_FOREIGN_ID_LENGTH}")
    timestamp, odd = wrapper.instant(keys.get("timestamp"))
    message, template = _message(keys)
    thrown = thrown_of(keys.get("exception"))
    event_type = _type(keys, thrown, message)
    library = library_of(keys.get("sdk") or wrapper.header.get("sdk"), wrapper.client)
    loose = context_of_event(keys, library)
    context = loose.context or Context()
    user_id = _place_user(keys, context)
    properties = {**_properties(keys, context), **loose.extras, **odd}
    name = ""
    found: Found | None = None
    if event_type == "track":
        name = template[:MAX_NAME_LENGTH] or UNNAMED
        properties.update(_stacks(keys))
        if len(template) > MAX_NAME_LENGTH:
            properties["$event.name"] = as_json(template)
    else:
        found = crash_of(keys, thrown, message, is_fatal=event_type == "app_crash")
        properties.update(found.extras)
    if message and message != (name or _reason(found)):
        properties["message"] = as_json(message)
    return trimmed(
        Event(
            event_id=event_id or reading.content_id(payload),
            type=event_type,
            timestamp=timestamp,
            name=name or None,
            user_id=user_id or None,
            properties=properties,
            crash=found.crash if found else None,
            context=context,
        )
    )


def _type(keys: dict[str, Raw], thrown: Thrown, message: str) -> str:
    if reading.as_text(keys.get("level")).lower() == "fatal" or thrown.is_unhandled:
        return "app_crash"
    if not thrown.values or (message and thrown.is_only_a_place):
        return "track"
    return "error"


def _message(keys: dict[str, Raw]) -> tuple[str, str]:
    """A message as written out, and its template, which is the same for all that it is used for."""
    plain = reading.as_text(keys.get("message"))
    parts = reading.as_object(keys.get("logentry") or keys.get("message"))
    template = reading.as_text(parts.get("message"))
    formatted = reading.as_text(parts.get("formatted"))
    return formatted or plain or template, template or plain or formatted


def _reason(found: Found | None) -> str | None:
    return found.crash.exception.message if found and found.crash.exception else None


def _place_user(keys: dict[str, Raw], context: Context) -> str:
    """The user's id. Without a device id it is the device: SDKs put their install id there."""
    user_id = reading.as_text(reading.as_object(keys.get("user")).get("id"))
    if len(user_id) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`user.id` is longer than {MAX_FOREIGN_ID_LENGTH}")
    device = context.device or Device()
    context.device = device
    if not device.id:
        device.id = user_id or None
    return user_id if user_id != device.id else ""


def _properties(keys: dict[str, Raw], context: Context) -> dict[str, Raw]:
    properties = {name: keys[name] for name in PLAIN if name in keys}
    if tags := reading.as_list(keys.get("tags")):  # old SDKs write pairs
        pairs = [pair for one in tags if len(pair := reading.as_list(one) or []) == 2]
        properties["tags"] = as_json({reading.as_text(one): other for one, other in pairs})
    if breadcrumbs := members(keys.get("breadcrumbs")):
        properties["breadcrumbs"] = as_json(breadcrumbs)
    if user := {k: v for k, v in reading.as_object(keys.get("user")).items() if k != "id"}:
        properties["$event.user"] = as_json(without_nulls(user))
    if "params" in (entry := reading.as_object(keys.get("logentry"))):
        properties["$event.params"] = entry["params"]
    sdk = reading.as_object(keys.get("sdk"))
    if more := {k: v for k, v in sdk.items() if k not in ("name", "version")}:
        properties["$event.sdk"] = as_json(more)
    properties.update(_unsaid(keys, context))
    others = sorted(keys.keys() - _PLACED - set(PLAIN))[: MAX_PROPERTIES + 1]  # `trimmed` tells it
    properties.update({f"$event.{name}"[:MAX_NAME_LENGTH]: keys[name] for name in others})
    return {name: raw for name, raw in properties.items() if bytes(raw) not in _EMPTY}


def _unsaid(keys: dict[str, Raw], context: Context) -> dict[str, Raw]:
    """Release and dist, where the app's columns do not say the same."""
    unsaid: dict[str, Raw] = {}
    release, app = reading.as_text(keys.get("release")), context.app
    parts = release_of(release)
    told = (parts.id or None, parts.version or None, parts.build or None)
    if release and (
        app is None
        or parts.text != release
        or told != (app.id, app.version, app.build if parts.build else None)
    ):
        unsaid["$event.release"] = keys["release"]
    dist = reading.as_text(keys.get("dist"))
    if dist and (app is None or app.build != dist):
        unsaid["$event.dist"] = keys["dist"]
    return unsaid


def _stacks(keys: dict[str, Raw]) -> dict[str, Raw]:
    """Where a message was written: no crash, so it stays as it came."""
    return {
        f"$event.{name}": keys[name]
        for name in ("exception", "threads", "stacktrace")
        if bytes(keys.get(name, b"null")) not in _EMPTY
    }
