"""Log records from JSON: protobuf's JSON, with ids in hexadecimal and numbers that may be text."""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code
from gateway.protocols import reading
from gateway.protocols.otlp import strict
from gateway.protocols.otlp.logs import (
    Attributes,
    Broken,
    Count,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
    TooDeep,
)
from gateway.protocols.otlp.values import value_of

_TIMES = ("timeUnixNano", "observedTimeUnixNano")
_PLACED = {"eventName", *_TIMES, "attributes", "body"}
_TEXT = "stringValue"
_EMPTY = (b"null", b'""', b"0")  # a field of protobuf that was not set
_OBJECT = "Expected `object`"


class _Pair(Struct, gc=False):
    key: str = ""
    value: Raw = Raw(b"null")


_pairs = msgspec.json.Decoder(list[_Pair])


def read(body: bytes) -> list[ResourceLogs]:
    """Everything that a body of JSON says. Raises Refused."""
    count = Count()
    keys = reading.json_object(body)
    try:
        logs = _list(keys, "resourceLogs")
        count.add(len(logs))
        return [_resource(one, count) for one in logs]
    except TooDeep as deep:
        raise Refused(RefusalCode.TOO_DEEP, str(deep)) from None
    except RecursionError:
        raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None


def _list(keys: dict[str, Raw], name: str) -> list[Raw]:
    """A list that need not be there. Raises Refused."""
    raw = keys.get(name)
    found = [] if raw is None or bytes(raw) == b"null" else reading.as_list(raw)
    if found is None:
        raise Refused(RefusalCode.INVALID_FIELD, f"Expected `array` - at `$.{name}`")
    return found


def _resource(raw: Raw, count: Count) -> ResourceLogs:
    keys = reading.as_object(raw)
    scopes = _list(keys, "scopeLogs")
    count.add(len(scopes) - 1)
    resource, others = _attributes(reading.as_object(keys.get("resource")))
    return ResourceLogs(_with_others(resource, others), [_scope(one, count) for one in scopes])


def _scope(raw: Raw, count: Count) -> ScopeLogs:
    keys = reading.as_object(raw)
    records = _list(keys, "logRecords")
    count.add(len(records) - 1)
    about = reading.as_object(keys.get("scope"))
    names: Attributes = {
        "name": reading.as_text(about.get("name")),
        "version": reading.as_text(about.get("version")),
    }
    attributes, others = _attributes(about)
    return ScopeLogs(
        {**names, **_with_others(attributes, others)}, [_record(one) for one in records]
    )


def _record(raw: Raw) -> LogRecord | Broken:
    usual = strict.record_of(raw)
    try:
        return _of_keys(raw) if usual is None else _of_usual(usual, raw)
    except TooDeep as deep:
        return Broken(Code.INVALID_FIELD, str(deep), bytes(raw))
    except RecursionError:
        return Broken(Code.INVALID_FIELD, "a value is nested too deep", bytes(raw))


def _of_usual(record: strict.UsualRecord, raw: Raw) -> LogRecord | Broken:
    if bytes(raw) == b"{}":
        return Broken(Code.INVALID_JSON, _OBJECT, b"{}")
    attributes: Attributes = {}
    for pair in record.attributes:
        value = pair.value
        if type(value) is dict and len(value) == 1 and type(text := value.get(_TEXT)) is str:
            attributes[pair.key] = text  # as most are
        else:
            attributes[pair.key] = value_of(value, 0)
    return LogRecord(
        event_name=record.event_name,
        time=_time(record.time_unix_nano) or _time(record.observed_time_unix_nano),
        attributes=attributes,
        body=value_of(record.body, 0),
        others=_others(record),
        original=partial(bytes, raw),
    )


def _others(record: strict.UsualRecord) -> dict[str, Raw]:
    """The fields without a place of their own, by their names on the wire and sorted by them."""
    found = (
        ("droppedAttributesCount", record.dropped_attributes_count),
        ("flags", record.flags),
        ("severityNumber", record.severity_number),
        ("severityText", record.severity_text),
        ("spanId", record.span_id),
        ("traceId", record.trace_id),
    )
    return {name: raw for name, raw in found if raw is not UNSET and bytes(raw) not in _EMPTY}


def _of_keys(raw: Raw) -> LogRecord | Broken:
    keys = reading.as_object(raw)
    if not keys:
        return Broken(Code.INVALID_JSON, _OBJECT, bytes(raw))
    attributes, others = _attributes(keys)
    for name in sorted(keys.keys() - _PLACED):
        if bytes(keys[name]) not in _EMPTY:
            others[name] = keys[name]
    sent, observed = (reading.as_value(keys.get(name)) for name in _TIMES)
    return LogRecord(
        event_name=reading.as_text(keys.get("eventName")),
        time=_time(sent) or _time(observed),
        attributes=attributes,
        body=value_of(reading.as_value(keys.get("body")), 0),
        others=others,
        original=partial(bytes, raw),
    )


def _time(value: object) -> object:
    """None where it was not set, which in protobuf is 0."""
    value = value_of(value, 0)
    return None if value in ("", "0") else value or None


def _attributes(keys: dict[str, Raw]) -> tuple[Attributes, dict[str, Raw]]:
    """The attributes; those that are no list of pairs are kept as they came."""
    raw = keys.get("attributes")
    if raw is None:
        return {}, {}
    try:
        pairs = _pairs.decode(raw)
    except msgspec.ValidationError:
        return {}, {} if bytes(raw) == b"null" else {"attributes": raw}
    return {pair.key: value_of(reading.as_value(pair.value), 0) for pair in pairs}, {}


def _with_others(attributes: Attributes, others: dict[str, Raw]) -> Attributes:
    return {**attributes, **{name: reading.as_value(raw) for name, raw in others.items()}}
