"""The usual log record of JSON, in one typed pass; any other is read key by key, see `text`."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.protocols.otlp.logs import Attributes, LogRecord
from gateway.protocols.otlp.values import UNSET_JSON, time_of, value_of
from gateway.protocols.reading import UNREADABLE

_TEXT = "stringValue"


class _Pair(Struct, gc=False):
    key: str = ""
    value: Any = None


class _Record(Struct, forbid_unknown_fields=True, rename="camel"):
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


_record = msgspec.json.Decoder(_Record)


def record_of(raw: Raw) -> LogRecord | None:
    """None where it must be read key by key. Raises TooDeep and RecursionError."""
    try:
        record = _record.decode(raw)
    except UNREADABLE:
        return None
    if bytes(raw) == b"{}":
        return None
    return LogRecord(
        event_name=record.event_name,
        time=time_of(record.time_unix_nano) or time_of(record.observed_time_unix_nano),
        attributes=_attributes(record.attributes),
        body=value_of(record.body, 0),
        others=_others(record),
        original=partial(bytes, raw),
    )


def _attributes(pairs: list[_Pair]) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        value = pair.value
        if type(value) is dict and len(value) == 1 and type(text := value.get(_TEXT)) is str:
            found[pair.key] = text  # as most are
        else:
            found[pair.key] = value_of(value, 0)
    return found


def _others(record: _Record) -> dict[str, Raw]:
    """The fields without a place of their own, by their names on the wire and sorted by them."""
    found = (
        ("droppedAttributesCount", record.dropped_attributes_count),
        ("flags", record.flags),
        ("severityNumber", record.severity_number),
        ("severityText", record.severity_text),
        ("spanId", record.span_id),
        ("traceId", record.trace_id),
    )
    return {name: raw for name, raw in found if raw is not UNSET and bytes(raw) not in UNSET_JSON}
