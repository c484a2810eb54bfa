"""The usual body and log record of JSON, each in one typed pass; any other is read key by key, see
`text`."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.protocols.otlp.logs import Attributes, LogRecord
from gateway.protocols.otlp.values import UNSET_JSON, time_of, value_of
from gateway.protocols.reading import UNREADABLE, is_utf8

_PLAIN = {"stringValue": str, "doubleValue": float, "boolValue": bool, "intValue": int}


class Scope(Struct, rename="camel", gc=False):
    scope: Raw = Raw(b"null")
    log_records: list[Raw] = []


class Resource(Struct, rename="camel", gc=False):
    resource: Raw = Raw(b"null")
    scope_logs: list[Scope] = []


class _Body(Struct, rename="camel", gc=False):
    resource_logs: list[Resource] = []


class _Pair(Struct, gc=False):
    key: str = ""
    value: Any = None


class _Record(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    event_name: str = ""
    time_unix_nano: Any = None
    observed_time_unix_nano: Any = None
    attributes: list[_Pair] = []
    body: Any = None
    dropped_attributes_count: Raw | UnsetType = UNSET
    flags: Raw | UnsetType = UNSET
    severity_number: Raw | UnsetType = UNSET
    severity_text: Raw | UnsetType = UNSET
    span_id: Raw | UnsetType = UNSET
    trace_id: Raw | UnsetType = UNSET


_OTHERS = (
    "droppedAttributesCount", "flags", "severityNumber", "severityText", "spanId", "traceId",
)  # fmt: skip
_NONE = (UNSET,) * len(_OTHERS)
_others_of = attrgetter(
    "dropped_attributes_count", "flags", "severity_number", "severity_text", "span_id", "trace_id"
)
_record = msgspec.json.Decoder(_Record)
_body = msgspec.json.Decoder(_Body)


def resources_of(body: bytes) -> list[Resource] | None:
    """What holds the records of a body. None where it must be read key by key."""
    try:
        return _body.decode(body).resource_logs if is_utf8(body) else None
    except UNREADABLE:
        return None


def record_of(raw: Raw) -> LogRecord | None:
    """None where it must be read key by key. Raises TooDeep and RecursionError."""
    try:
        record = _record.decode(raw)
    except UNREADABLE:
        return None
    if record.time_unix_nano is None and bytes(raw) == b"{}":
        return None
    time = record.time_unix_nano
    if type(time) is not str or time in ("", "0"):
        time = time_of(time) or time_of(record.observed_time_unix_nano)
    return LogRecord(
        event_name=record.event_name,
        time=time,
        attributes=_attributes(record.attributes),
        body=None if record.body is None else value_of(record.body, 0),
        others={} if (given := _others_of(record)) == _NONE else _others(given),
        original=raw,
    )


def _attributes(pairs: list[_Pair]) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        value = pair.value
        if type(value) is dict and len(value) == 1:
            (kind,) = value
            of = value[kind]
            if type(of) is _PLAIN.get(kind):  # as most are
                found[pair.key] = of
                continue
        found[pair.key] = value_of(value, 0)
    return found


def _others(given: tuple[Raw | UnsetType, ...]) -> dict[str, Raw]:
    """The fields without a place of their own, by their names on the wire and sorted by them."""
    return {
        name: raw
        for name, raw in zip(_OTHERS, given, strict=True)
        if raw is not UNSET and bytes(raw) not in UNSET_JSON
    }
