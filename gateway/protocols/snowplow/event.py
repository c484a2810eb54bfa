"""One payload of a Snowplow tracker as a native event."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Crash,
    Event,
    ExceptionInfo,
)
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading, times
from gateway.protocols.reading import take
from gateway.protocols.snowplow.context import take_where
from gateway.protocols.snowplow.described import Described, contexts_of, event_of
from gateway.protocols.snowplow.names import COUNTED, ERROR, TYPES

_STRUCTURED = {
    "se_ca": "category", "se_la": "label", "se_pr": "property", "se_va": "value",
}  # fmt: skip
_PAGE = {"url": "url", "refr": "referrer"}
_encode = msgspec.json.Encoder().encode


class Payload(Struct, frozen=True, gc=False):
    """As it came, and its keys; no object has none."""

    raw: Raw
    keys: dict[str, Raw]


class Told(Struct, frozen=True, gc=False):
    """What happened. `properties` are the event's own."""

    type: str
    name: str
    properties: dict[str, Raw]


def native_of(index: int, payload: Payload) -> Event | Rejection | None:
    """The event of a payload; None when it is none of ours."""
    keys = payload.keys
    event_id = reading.as_text(keys.get("eid"))
    try:
        return _event(dict(keys), event_id or _content_id(keys))
    except Rejected as reason:
        text = f"{reason} - at `$.data[{index}]`"
        event_id = event_id[:MAX_FOREIGN_ID_LENGTH]
        return Rejection(index, reason.code, text, event_id, bytes(payload.raw))


def _event(keys: dict[str, Raw], event_id: str) -> Event | None:
    """Whatever has a field leaves `keys`; the rest become `$event.` properties."""
    if not keys:
        raise Rejected(Code.INVALID_JSON, "Expected `object`")
    keys.pop("eid", None)
    keys.pop("stm", None)
    told = _take_told(keys)
    if told is None:
        return None
    user_id = take(keys, "uid") or ""
    for name, text in (("eid", event_id), ("uid", user_id)):
        if len(text) > MAX_FOREIGN_ID_LENGTH:
            raise Rejected(Code.ID_TOO_LONG, f"`{name}` is longer than {MAX_FOREIGN_ID_LENGTH}")
    properties = dict(told.properties)
    timestamp = _take_time(keys, properties)
    where = take_where(keys, user_id, _take_contexts(keys))
    event_type, crash = told.type, None
    if event_type == ERROR:
        crash = _take_crash(properties)
        event_type = "app_crash" if crash.fatal else "error"
    if len(properties) > MAX_PROPERTIES:
        text = f"there are {len(properties)} properties, the limit is {MAX_PROPERTIES}"
        raise Rejected(Code.TOO_MANY_PROPERTIES, text)
    if len(told.name) > MAX_NAME_LENGTH:
        properties["$event.name"] = Raw(_encode(told.name))
    properties |= where.extras
    properties |= {f"$event.{name}": keys[name] for name in sorted(keys)}
    return Event(
        event_id=event_id,
        type=event_type,
        timestamp=timestamp,
        name=told.name[:MAX_NAME_LENGTH] or None,
        session_id=where.session_id or None,
        user_id=user_id or None,
        sequence=where.sequence,
        properties=properties,
        crash=crash,
        context=where.context,
    )


def _take_told(keys: dict[str, Raw]) -> Told | None:
    """By `e`: a self-describing event, a structured one, or the view of a page."""
    kind = take(keys, "e")
    if not kind:
        raise Rejected(Code.MISSING_FIELD, "`e` is missing")
    if kind == "ue":
        return _told_by(_take_described(keys))
    if kind in COUNTED:
        return None
    if kind == "se":
        renamed = {new: keys.pop(old) for old, new in _STRUCTURED.items() if old in keys}
        return Told("track", take(keys, "se_ac") or kind, renamed)
    if kind == "pv":
        renamed = {new: keys.pop(old) for old, new in _PAGE.items() if old in keys}
        name = take(keys, "page") or reading.as_text(renamed.get("url"))
        return Told("screen", name or kind, renamed)
    return Told("track", kind, {})


def _take_described(keys: dict[str, Raw]) -> Described:
    for name in ("ue_px", "ue_pr"):
        found = event_of(reading.as_text(keys.get(name)))
        if found is not None:
            del keys[name]
            return found
    raise Rejected(Code.INVALID_FIELD, "`ue_px` and `ue_pr` describe no event")


def _told_by(event: Described) -> Told | None:
    lower, properties = event.name.lower(), event.keys()
    if lower in COUNTED:
        return None
    if lower == ERROR:
        return Told(ERROR, "", properties)
    event_type = TYPES.get(lower, "track")
    if event_type == "screen":
        return Told(event_type, take(properties, "name") or event.name, properties)
    if event_type != "track":
        return Told(event_type, "", properties)
    if not properties and bytes(event.data) not in (b"{}", b"null"):
        properties = {"data": event.data}
    return Told(event_type, event.name or "ue", properties)


def _take_contexts(keys: dict[str, Raw]) -> list[Described]:
    """Those that cannot be read stay where they are."""
    found: list[Described] = []
    for name in ("cx", "co"):
        contexts = contexts_of(reading.as_text(keys.get(name))) if name in keys else None
        if contexts is not None:
            del keys[name]
            found += contexts
    return found


def _take_time(keys: dict[str, Raw], properties: dict[str, Raw]) -> datetime | None:
    """The true time where the app knows one, else the device's. None is a time that is none; its
    original becomes a property."""
    name = "ttm" if "ttm" in keys else "dtm"
    if name not in keys:
        raise Rejected(Code.MISSING_FIELD, "`dtm` is missing")
    given = keys.pop(name)
    timestamp = times.parse(reading.as_value(given))
    if timestamp is None:
        properties["$timestamp"] = given
    return timestamp


def _take_crash(properties: dict[str, Raw]) -> Crash:
    is_fatal = reading.as_value(properties.get("isFatal"))
    if isinstance(is_fatal, bool):
        del properties["isFatal"]
    exception = ExceptionInfo(
        type=take(properties, "exceptionName"), message=take(properties, "message")
    )
    crash = Crash(
        kind="exception",
        fatal=is_fatal is True,
        exception=exception,
        stacktrace=take(properties, "stackTrace"),
    )
    thread = {
        new: text
        for old, new in (("threadId", "id"), ("threadName", "name"))
        if (text := take(properties, old)) is not None
    }
    if thread:
        crash.thread = Raw(_encode(thread))
    return crash


def _content_id(keys: dict[str, Raw]) -> str:
    """The same payload sent again has the same one; only its sent time differs."""
    return reading.content_id(
        *(
            b"%b=%b" % (name.encode("utf-8", "replace"), bytes(keys[name]))
            for name in sorted(keys)
            if name != "stm"
        )
    )
