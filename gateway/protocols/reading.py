"""Bodies of other vendors' SDKs as JSON objects, whatever their SDKs made of JSON."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Raw

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.salvage import salvage

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a pass ends with

_NUMBERS = (int, float)
_object = msgspec.json.Decoder(dict[str, Raw])
_objects = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()
_scalar = msgspec.json.Decoder(str | int | float | bool | None)  # fails before it reads any other


def is_utf8(body: bytes) -> bool:
    """msgspec passes bad UTF-8 in values it does not look into; ClickHouse would not."""
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_object(body: bytes) -> dict[str, Raw]:
    """The keys of a body that is one JSON object. Raises Refused."""
    if not body:
        raise Refused(RefusalCode.EMPTY_BODY, "the body is empty")
    try:
        if is_utf8(body):
            return _object.decode(body)
        error = "it is not UTF-8"
    except RecursionError:
        raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None
    except msgspec.ValidationError as wrong:
        raise Refused(RefusalCode.INVALID_JSON, str(wrong)) from None
    except msgspec.DecodeError as wrong:
        error = str(wrong)
    saved = salvage(body)
    if saved is None:
        raise Refused(RefusalCode.INVALID_JSON, f"the body is not JSON: {error}")
    try:
        return _object.decode(saved)
    except msgspec.ValidationError as wrong:
        raise Refused(RefusalCode.INVALID_JSON, str(wrong)) from None


def as_object(raw: Raw | bytes | None) -> dict[str, Raw]:
    """A nested object's keys; empty where there is none."""
    if raw is None:
        return {}
    try:
        return _object.decode(raw)
    except msgspec.ValidationError:
        return {}


def as_list(raw: Raw | None) -> list[Raw] | None:
    """A nested array's members; None where it is no array."""
    if raw is None:
        return None
    try:
        return _objects.decode(raw)
    except msgspec.ValidationError:
        return None


def as_value(raw: Raw | None) -> object:
    """Any JSON value; a number that no float holds is kept as its text."""
    if raw is None:
        return None
    try:
        return _any.decode(raw)
    except msgspec.DecodeError:
        return bytes(raw).decode("utf-8", "replace")


def as_text(raw: Raw | None) -> str:
    """Text, or a number as text; empty where it is neither."""
    if raw is None:
        return ""
    try:
        value = _scalar.decode(raw)
    except msgspec.DecodeError:
        if bytes(memoryview(raw)[:1]) in (b"[", b"{"):
            return ""  # unread: to make a million lists of it would take a second
        value = as_value(raw)
    if type(value) is str:
        return value
    return str(value) if type(value) in _NUMBERS else ""  # a bool is an int too


def take(properties: dict[str, Raw], *names: str) -> str | None:
    """The first of these that is text or a number; only that one is taken out."""
    for name in names:
        text = as_text(properties.get(name))
        if text:
            del properties[name]
            return text
    return None


def content_id(*parts: bytes) -> str:
    """An id for an event that has none: the same bytes sent again have the same one."""
    return "sha256-" + sha256(b"\x1f".join(parts)).hexdigest()[:40]
