"""A body of any of PostHog's SDKs: which events it holds, whose they are, when it was sent.

An object with `batch`, one event, or an array of events; as JSON, or as a form with that in `data`.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.event import MAX_EVENTS
from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import forms, reading
from gateway.protocols.loose import without_nulls
from gateway.protocols.salvage import salvage


class _Usual(Struct, gc=False):
    """What has another type, or lacks one of these, fails this pass."""

    batch: list[Raw]
    api_key: Annotated[str, Meta(min_length=1)]
    sent_at: Raw | UnsetType = UNSET


_NULL = Raw(b"null")
_usual = msgspec.json.Decoder(_Usual)
_encode = msgspec.json.Encoder().encode
_list = msgspec.json.Decoder(list[Raw])
_is_array = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[").match


class Body(Struct, frozen=True, gc=False):
    items: list[Raw]
    key: str  # of all items; empty where each has its own
    sent_at: Raw | None


class Item(Struct, frozen=True, gc=False):
    """One member of a batch, looked into. No object: no keys."""

    raw: Raw
    keys: dict[str, Raw]
    properties: dict[str, Raw]

    @property
    def key(self) -> str:
        """The write key it carries; web SDKs put it into the properties."""
        keys = self.keys
        own = keys.get("api_key") or keys.get("token") or self.properties.get("token")
        return reading.as_text(own)


def read(body: bytes) -> Body:
    """Raises Refused."""
    text = _json(body)
    try:
        if reading.is_utf8(text):
            usual = _usual.decode(text)
            told = usual.sent_at
            return Body(
                _bounded(usual.batch),
                usual.api_key,
                None if told is UNSET or told == _NULL else told,
            )
    except reading.UNREADABLE:
        pass  # what can be read of it is read key by key
    if _is_array(text):
        return Body(_bounded(_array(text)), "", None)
    keys = without_nulls(reading.json_object(text))
    key = reading.as_text(keys.get("api_key") or keys.get("token"))
    sent_at = keys.get("sent_at")
    if "batch" not in keys and "event" in keys:
        return Body([Raw(_encode(keys))], key, sent_at)
    items = reading.as_list(keys.get("batch"))
    if items is None:
        raise Refused(RefusalCode.MISSING_FIELD, "neither `batch` nor `event` is there - at `$`")
    return Body(_bounded(items), key, sent_at)


def item_of(raw: Raw) -> Item:
    keys = without_nulls(reading.as_object(raw))
    return Item(raw, keys, reading.as_object(keys.get("properties")))


def _json(body: bytes) -> bytes:
    if forms.is_json(body) or b"data=" not in body:
        return body
    data = forms.fields(body).get("data")
    if data is None:
        raise Refused(RefusalCode.MISSING_FIELD, "`data` is missing in the form")
    return forms.json_of(data)


def _array(text: bytes) -> list[Raw]:
    try:
        if reading.is_utf8(text):
            return _list.decode(text)
    except RecursionError:
        raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None
    except msgspec.DecodeError:
        pass  # a cut emoji or a NaN: it can be saved below
    saved = salvage(text)
    if saved is None:
        raise Refused(RefusalCode.INVALID_JSON, "the body is not JSON")
    return _list.decode(saved)


def _bounded(items: list[Raw]) -> list[Raw]:
    if len(items) > MAX_EVENTS:
        text = f"`batch` has {len(items)} entries, the limit is {MAX_EVENTS} - at `$.batch`"
        raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
    return items
