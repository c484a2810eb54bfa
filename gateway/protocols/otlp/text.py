"""Log records from JSON: protobuf's JSON, with ids in hexadecimal and numbers that may be text."""

from __future__ import annotations

import math
from functools import partial

import msgspec
from msgspec import Raw, Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code
from gateway.protocols import reading
from gateway.protocols.otlp.logs import (
    Attributes,
    Broken,
    Count,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
    TooDeep,
    deeper,
)

_PLACED = {"eventName", "timeUnixNano", "observedTimeUnixNano", "attributes", "body"}
_UNSET = (b"null", b'""', b"0")  # a field of protobuf that was not set
_MAX_INT_DIGITS = 20  # as text; an int64 has fewer
_MAX_DOUBLE_LENGTH = 64
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
    keys = reading.as_object(raw)
    if not keys:
        return Broken(Code.INVALID_JSON, _OBJECT, bytes(raw))
    try:
        attributes, others = _attributes(keys)
        for name in keys.keys() - _PLACED:
            if bytes(keys[name]) not in _UNSET:
                others[name] = keys[name]
        return LogRecord(
            event_name=reading.as_text(keys.get("eventName")),
            time=_time(keys, "timeUnixNano") or _time(keys, "observedTimeUnixNano"),
            attributes=attributes,
            body=_value(reading.as_value(keys.get("body")), 0),
            others=others,
            original=partial(bytes, raw),
        )
    except TooDeep as deep:
        return Broken(Code.INVALID_FIELD, str(deep), bytes(raw))
    except RecursionError:
        return Broken(Code.INVALID_FIELD, "a value is nested too deep", bytes(raw))


def _time(keys: dict[str, Raw], name: str) -> object:
    """None where it was not set, which in protobuf is 0."""
    value = _value(reading.as_value(keys.get(name)), 0)
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
    return {pair.key: _value(reading.as_value(pair.value), 0) for pair in pairs}, {}


def _with_others(attributes: Attributes, others: dict[str, Raw]) -> Attributes:
    return {**attributes, **{name: reading.as_value(raw) for name, raw in others.items()}}


def _value(value: object, depth: int) -> object:
    """An AnyValue as plain JSON. What is none, though it stands for one, is taken as it is."""
    if isinstance(value, list):
        inside = deeper(depth)
        return [_value(one, inside) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) <= 1:
        for kind, of in value.items():
            if kind == "intValue":
                return _int(of)
            if kind == "doubleValue":
                return _double(of)
            if kind in ("stringValue", "boolValue", "bytesValue"):
                return _value(of, deeper(depth))
            if kind in ("arrayValue", "kvlistValue") and isinstance(of, dict):
                members = of.get("values")
                if kind == "arrayValue":
                    return _value([] if members is None else members, depth)
                if members is None or isinstance(members, list):
                    return _object(members or [], deeper(depth))
    if not value:
        return None
    inside = deeper(depth)
    return {str(name): _value(one, inside) for name, one in value.items()}


def _object(pairs: list[object], depth: int) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        if isinstance(pair, dict):
            found[str(pair.get("key") or "")] = _value(pair.get("value"), depth)
    return found


def _int(value: object) -> object:
    """An int64, which JSON writes as text."""
    if isinstance(value, str) and len(value) <= _MAX_INT_DIGITS:
        try:
            return int(value)
        except ValueError:
            return value
    return _value(value, 0)


def _double(value: object) -> object:
    """A double, of which JSON writes some as text: NaN and the infinities stay text."""
    if not isinstance(value, str) or len(value) > _MAX_DOUBLE_LENGTH:
        return _value(value, 0)
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value
