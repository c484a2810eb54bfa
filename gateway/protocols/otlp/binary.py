"""Log records from protobuf."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec
from google.protobuf.message import Message
from msgspec import Raw

from gateway.contract.event import MAX_PROPERTIES
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code
from gateway.protocols.otlp import bounds
from gateway.protocols.otlp.logs import (
    Attributes,
    Broken,
    Count,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
    TooDeep,
    deeper,
    double_of,
    too_many,
)
from gateway.protocols.otlp.messages import request_of

_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> list[ResourceLogs]:
    """Everything that a body of protobuf says. Raises Refused."""
    bounds.check(body)
    request, count = request_of(body), Count()
    count.add(len(request.resource_logs))
    try:
        return [_resource(one, count) for one in request.resource_logs]
    except TooDeep as deep:
        raise Refused(RefusalCode.TOO_DEEP, str(deep)) from None


def _resource(logs: Message, count: Count) -> ResourceLogs:
    count.add(len(logs.scope_logs) - 1)
    scopes = [_scope(one, count) for one in logs.scope_logs]
    return ResourceLogs(_attributes(logs.resource.attributes), scopes)


def _scope(logs: Message, count: Count) -> ScopeLogs:
    count.add(len(logs.log_records) - 1)
    scope: Attributes = {"name": _text(logs.scope.name), "version": _text(logs.scope.version)}
    scope.update(_attributes(logs.scope.attributes))
    return ScopeLogs(scope, [_record(one) for one in logs.log_records])


def _record(record: Message) -> LogRecord | Broken:
    if (count := len(record.attributes)) > MAX_PROPERTIES:
        return Broken(Code.TOO_MANY_PROPERTIES, too_many(count), record.SerializeToString())
    try:
        return LogRecord(
            event_name=_text(record.event_name),
            time=record.time_unix_nano or record.observed_time_unix_nano or None,
            attributes=_attributes(record.attributes),
            body=_value(record.body, 0),
            others=_others(record),
            original=record.SerializeToString,
        )
    except TooDeep as deep:
        return Broken(Code.INVALID_FIELD, str(deep), record.SerializeToString())


def _others(record: Message) -> dict[str, Raw]:
    found = {
        "severityNumber": record.severity_number,
        "severityText": _text(record.severity_text),
        "flags": record.flags,
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "droppedAttributesCount": record.dropped_attributes_count,
    }
    return {name: Raw(_encode(value)) for name, value in found.items() if value}


def _attributes(pairs: Iterable[Message], depth: int = 0) -> Attributes:
    return {_text(pair.key): _value(pair.value, depth) for pair in pairs}


def _value(value: Message, depth: int) -> object:
    """An AnyValue as JSON has it; bytes as base64."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "string_value":
        return _text(value.string_value)
    if kind == "double_value":
        return double_of(value.double_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    if kind == "array_value":
        inside = deeper(depth)
        return [_value(one, inside) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values, deeper(depth))
    number: int = getattr(value, kind)  # bool_value, int_value
    return number


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
