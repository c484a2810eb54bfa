"""Log records from JSON: protobuf's JSON, with ids in hexadecimal and numbers that may be text."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

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
from gateway.protocols.otlp.values import UNSET_JSON, time_of, value_of

MAX_VALUES = 256 * 1024  # objects and arrays of a body; its records have some ten each

_strings = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL).sub
_NULL = Raw(b"null")
_TIMES = ("timeUnixNano", "observedTimeUnixNano")
_PLACED = {"eventName", *_TIMES, "attributes", "body"}
_OBJECT = "Expected `object`"


class _Pair(Struct, gc=False):
    key: str = ""
    value: Raw = Raw(b"null")


_pairs = msgspec.json.Decoder(list[_Pair])


def read(body: bytes) -> list[ResourceLogs]:
    """Everything that a body of JSON says. Raises Refused."""
    count = Count()
    _check(body)
    try:
        logs = strict.resources_of(body)
        if logs is None:
            logs = _resources_of_keys(reading.json_object(body), count)
        else:
            _add_all(logs, count)
        return [_resource(one) for one in logs]
    except TooDeep as deep:
        raise Refused(RefusalCode.TOO_DEEP, str(deep)) from None
    except RecursionError:
        raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None


def _check(body: bytes) -> None:
    """Three bytes of an empty object become a hundred in memory. Raises Refused."""
    if len(body) <= MAX_VALUES or body.count(b"{") + body.count(b"[") <= MAX_VALUES:
        return
    outside = _strings(b"", body)  # texts may hold as many as they like
    if outside.count(b"{") + outside.count(b"[") > MAX_VALUES:
        text = f"the body has more than {MAX_VALUES} objects and arrays"
        raise Refused(RefusalCode.TOO_MANY_EVENTS, text)


def _list(keys: dict[str, Raw], name: str) -> list[Raw]:
    """A list that need not be there. Raises Refused."""
    raw = keys.get(name)
    found = [] if raw is None or bytes(raw) == b"null" else reading.as_list(raw)
    if found is None:
        raise Refused(RefusalCode.INVALID_FIELD, f"Expected `array` - at `$.{name}`")
    return found


def _add_all(logs: list[strict.Resource], count: Count) -> None:
    count.add(len(logs))
    for resource in logs:
        count.add(len(resource.scope_logs) - 1)
        for scope in resource.scope_logs:
            count.add(len(scope.log_records) - 1)


def _resources_of_keys(keys: dict[str, Raw], count: Count) -> list[strict.Resource]:
    raws = _list(keys, "resourceLogs")
    count.add(len(raws))
    return [_resource_of_keys(reading.as_object(raw), count) for raw in raws]


def _resource_of_keys(keys: dict[str, Raw], count: Count) -> strict.Resource:
    raws = _list(keys, "scopeLogs")
    count.add(len(raws) - 1)
    scopes = [_scope_of_keys(reading.as_object(raw), count) for raw in raws]
    return strict.Resource(keys.get("resource", _NULL), scopes)


def _scope_of_keys(keys: dict[str, Raw], count: Count) -> strict.Scope:
    records = _list(keys, "logRecords")
    count.add(len(records) - 1)
    return strict.Scope(keys.get("scope", _NULL), records)


def _resource(logs: strict.Resource) -> ResourceLogs:
    resource, others = _attributes(reading.as_object(logs.resource))
    scopes = [_scope(one) for one in logs.scope_logs]
    return ResourceLogs(_with_others(resource, others), scopes)


def _scope(logs: strict.Scope) -> ScopeLogs:
    about = reading.as_object(logs.scope)
    names: Attributes = {
        "name": reading.as_text(about.get("name")),
        "version": reading.as_text(about.get("version")),
    }
    attributes, others = _attributes(about)
    return ScopeLogs(
        {**names, **_with_others(attributes, others)}, [_record(one) for one in logs.log_records]
    )


def _record(raw: Raw) -> LogRecord | Broken:
    try:
        return strict.record_of(raw) or record_of_keys(raw)
    except TooDeep as deep:
        return Broken(Code.INVALID_FIELD, str(deep), bytes(raw))
    except RecursionError:
        return Broken(Code.INVALID_FIELD, "a value is nested too deep", bytes(raw))


def record_of_keys(raw: Raw) -> LogRecord | Broken:
    """Whatever stands where a record should. Raises TooDeep and RecursionError."""
    keys = reading.as_object(raw)
    if not keys:
        return Broken(Code.INVALID_JSON, _OBJECT, bytes(raw))
    attributes, others = _attributes(keys)
    for name in sorted(keys.keys() - _PLACED):
        if bytes(keys[name]) not in UNSET_JSON:
            others[name] = keys[name]
    sent, observed = (reading.as_value(keys.get(name)) for name in _TIMES)
    return LogRecord(
        event_name=reading.as_text(keys.get("eventName")),
        time=time_of(sent) or time_of(observed),
        attributes=attributes,
        body=value_of(reading.as_value(keys.get("body")), 0),
        others=others,
        original=raw,
    )


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
