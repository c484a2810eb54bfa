"""A native body that failed the strict pass, read event by event.

One bad event is rejected alone, naming its field; keys that no field knows become properties;
a context or a time that does not fit is kept as text. Only what concerns the whole body (no
events, too many, no `sent_at`, a batch context beyond its limit) refuses the POST.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from gateway.contract.event import (
    MAX_CONTEXT_BYTES,
    MAX_EVENTS,
    MAX_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Batch,
    Context,
    Crash,
    Event,
    Stamp,
)
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import times
from gateway.protocols.loose import Loose, context_of, without_nulls

_object = msgspec.json.Decoder(dict[str, Raw])
_events = msgspec.json.Decoder(Annotated[list[Raw], Meta(max_length=MAX_EVENTS)])
_list = msgspec.json.Decoder(list[Raw])
_strict_event = msgspec.json.Decoder(Event)
_crash = msgspec.json.Decoder(Crash)
_any = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

MAX_LEFT_OUT = 20  # names of keys that are too large
BATCH_KEYS = ("sent_at", "context", "write_key", "events")
EVENT_KEYS = Event.__struct_fields__
CRASH_KEYS = Crash.__struct_fields__


def decode(body: bytes) -> Batch:
    """The batch in `body`, which is JSON. Raises Refused."""
    try:
        keys = _object.decode(body)
    except RecursionError:
        raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None
    except msgspec.ValidationError as error:
        raise Refused(RefusalCode.INVALID_JSON, str(error)) from None
    except msgspec.DecodeError as error:
        raise Refused(RefusalCode.INVALID_JSON, f"the body is not JSON: {error}") from None
    if "sent_at" not in keys:
        raise Refused(RefusalCode.MISSING_FIELD, "`sent_at` is missing - at `$.sent_at`")
    events = _events_of(keys)
    loose = _batch_context(keys.get("context"))
    return Batch(
        events=[_event(index, raw) for index, raw in enumerate(events)],
        sent_at=times.parse(_any_of(keys["sent_at"])),
        stamp=Stamp.EACH_ATTEMPT,
        context=loose.context,
        extras={**loose.extras, **(_unknown_of(keys) if "events" in keys else {})},
        write_key=_text(keys.get("write_key")),
    )


def _unknown_of(keys: dict[str, Raw]) -> dict[str, Raw]:
    """Unknown keys beside `events`, for every event; those that do not fit a context are named."""
    extras: dict[str, Raw] = {}
    unknown = [name for name in keys if name not in BATCH_KEYS]
    left_out = unknown[MAX_PROPERTIES:]  # not looked at: a body has room for 400,000
    room = MAX_CONTEXT_BYTES
    for name in unknown[:MAX_PROPERTIES]:
        size = len(name) + len(bytes(keys[name]))
        if size > room or len(name) > MAX_NAME_LENGTH:
            left_out.append(name)
            continue
        room -= size
        extras[f"$batch.{name}"] = keys[name]
    if left_out:
        named = [name[:MAX_NAME_LENGTH] for name in nsmallest(MAX_LEFT_OUT, left_out)]
        extras["$batch.left_out"] = Raw(_encode(named))
    return extras


def _events_of(keys: dict[str, Raw]) -> list[bytes]:
    if "events" not in keys:
        if "event_id" not in keys and "type" not in keys:
            raise Refused(RefusalCode.MISSING_FIELD, "`events` is missing - at `$.events`")
        return [_encode({name: raw for name, raw in keys.items() if name not in BATCH_KEYS})]
    try:
        events = _events.decode(keys["events"])
    except msgspec.ValidationError:
        _list_of(keys["events"])
        text = f"`events` has more than {MAX_EVENTS} entries - at `$.events`"
        raise Refused(RefusalCode.TOO_MANY_EVENTS, text) from None
    if not events:
        raise Refused(RefusalCode.NO_EVENTS, "`events` is empty - at `$.events`")
    return [bytes(raw) for raw in events]


def _list_of(raw: Raw) -> None:
    if not bytes(raw).lstrip().startswith(b"["):
        raise Refused(RefusalCode.INVALID_FIELD, "Expected `array` - at `$.events`")


def _batch_context(raw: Raw | None) -> Loose:
    if raw is None:
        return Loose(None, {})
    if len(bytes(raw)) > MAX_CONTEXT_BYTES:
        text = f"the context has more than {MAX_CONTEXT_BYTES} bytes - at `$.context`"
        raise Refused(RefusalCode.CONTEXT_TOO_LARGE, text)
    return context_of(_any_of(raw))


def _any_of(raw: Raw) -> object:
    """Any JSON value; a number that no float holds is kept as its text."""
    try:
        return _any.decode(raw)
    except msgspec.DecodeError:
        return bytes(raw).decode("utf-8", "replace")


def _text(raw: Raw | None) -> str | None:
    value = _any_of(raw) if raw is not None else None
    return value if isinstance(value, str) else None


def _event(index: int, raw: bytes) -> Event | Rejection:
    event_id = ""
    try:
        try:
            event = _strict_event.decode(raw)
        except msgspec.ValidationError:
            event = None
        if event is not None and (event.context is None or len(raw) <= MAX_CONTEXT_BYTES):
            return event
        try:
            keys = _object.decode(raw)
        except msgspec.ValidationError:
            return _rejection(index, Code.INVALID_JSON, "Expected `object`", "", raw)
        event_id = (_text(keys.get("event_id")) or "")[:MAX_ID_LENGTH]
        return _from_keys(keys)
    except Rejected as reason:
        return _rejection(index, reason.code, str(reason), event_id, raw)


def _rejection(index: int, code: Code, text: str, event_id: str, raw: bytes) -> Rejection:
    place = f"$.events[{index}]"
    text = text.replace("`$", f"`{place}") if "`$" in text else f"{text} - at `{place}`"
    return Rejection(index, code, text, event_id, raw)


def _from_keys(keys: dict[str, Raw]) -> Event:
    """Field by field: a key that fits no field becomes a property, a bad field rejects."""
    extras = {f"$event.{name}": raw for name, raw in keys.items() if name not in EVENT_KEYS}
    known = {name: raw for name, raw in keys.items() if name in EVENT_KEYS}
    for name in ("event_id", "type", "timestamp"):
        if name not in known:
            raise Rejected(Code.MISSING_FIELD, f"`{name}` is missing - at `$.{name}`")
    sent = known.pop("timestamp")
    timestamp = times.parse(_any_of(sent))
    if timestamp is None:
        extras["$timestamp"] = sent
    context = _event_context(known.pop("context", None), extras)
    crash = _event_crash(known.pop("crash", None), extras)
    event = _typed(without_nulls(known))
    event.timestamp = timestamp
    event.context = context
    event.crash = crash
    if extras:
        event.properties = {**(event.properties or {}), **extras}
    return event


def _typed(known: dict[str, Raw]) -> Event:
    try:
        return _strict_event.decode(_encode({"timestamp": None, **known}))
    except msgspec.ValidationError as error:
        raise Rejected(_code_of(str(error)), str(error)) from None


def _code_of(text: str) -> Code:
    """The code of a msgspec error; its text names the field and the limit."""
    if "missing required" in text:
        return Code.MISSING_FIELD
    if "`object` of length" in text:
        return Code.TOO_MANY_PROPERTIES
    return Code.ID_TOO_LONG if "`str` of length <=" in text else Code.INVALID_FIELD


def _event_context(raw: Raw | None, extras: dict[str, Raw]) -> Context | None:
    if raw is None:
        return None
    if len(bytes(raw)) > MAX_CONTEXT_BYTES:
        text = f"the context has more than {MAX_CONTEXT_BYTES} bytes - at `$.context`"
        raise Rejected(Code.CONTEXT_TOO_LARGE, text)
    loose = context_of(_any_of(raw))
    extras.update(loose.extras)
    return loose.context


def _event_crash(raw: Raw | None, extras: dict[str, Raw]) -> Crash | None:
    """A crash is kept whatever it looks like: what fits no field becomes properties."""
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        return _crash.decode(raw)
    except msgspec.ValidationError:
        pass
    try:
        keys = _object.decode(raw)
    except msgspec.ValidationError as error:
        raise Rejected(Code.INVALID_FIELD, f"{error} - at `$.crash`") from None
    crash = Crash()
    for name, value in keys.items():
        try:
            fitting = _crash.decode(_encode({name: value}))
        except msgspec.ValidationError:
            extras[f"$crash.{name}"] = value
        else:
            setattr(crash, name, getattr(fitting, name))
    return crash
