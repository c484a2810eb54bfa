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
from gateway.protocols.otlp.messages import record_of, resource_of, scope_of
from gateway.protocols.otlp.parts import ResourceParts, ScopeParts, parts_of

MAX_RECORD_BYTES = 512 * 1024  # no larger one becomes an event

_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> list[ResourceLogs]:
    """Everything that a body of protobuf says. Raises Refused."""
    resources, count = parts_of(body), Count()
    count.add(len(resources))
    for one in resources:
        count.add(len(one.scopes) - 1)
        for scope in one.scopes:
            count.add(len(scope.records) - 1)
    try:
        return [_resource(body, one) for one in resources]
    except TooDeep as deep:
        raise Refused(RefusalCode.TOO_DEEP, str(deep)) from None


def _resource(body: bytes, parts: ResourceParts) -> ResourceLogs:
    attributes = _attributes(resource_of(parts.own).resource.attributes)
    return ResourceLogs(attributes, [_scope(body, one) for one in parts.scopes])


def _scope(body: bytes, parts: ScopeParts) -> ScopeLogs:
    about = scope_of(parts.own).scope
    scope: Attributes = {"name": _text(about.name), "version": _text(about.version)}
    scope.update(_attributes(about.attributes))
    return ScopeLogs(scope, [_record(body[start:end]) for start, end in parts.records])


def _record(encoded: bytes) -> LogRecord | Broken:
    if len(encoded) > MAX_RECORD_BYTES:
        text = f"the record has {len(encoded)} bytes, the limit is {MAX_RECORD_BYTES}"
        return Broken(Code.EVENT_TOO_LARGE, text, encoded)
    record = record_of(encoded)
    if (count := len(record.attributes)) > MAX_PROPERTIES:
        return Broken(Code.TOO_MANY_PROPERTIES, too_many(count), encoded)
    try:
        return LogRecord(
            event_name=_text(record.event_name),
            time=record.time_unix_nano or record.observed_time_unix_nano or None,
            attributes=_attributes(record.attributes),
            body=_value(record.body, 0),
            others=_others(record),
            original=encoded,
        )
    except TooDeep as deep:
        return Broken(Code.INVALID_FIELD, str(deep), encoded)


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
