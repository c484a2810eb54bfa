"""The usual log record of JSON, in one typed pass; any other is read key by key, see `text`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.protocols.reading import UNREADABLE


class Pair(Struct, gc=False):
    key: str = ""
    value: Any = None


class UsualRecord(Struct, forbid_unknown_fields=True, rename="camel"):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    event_name: str = ""
    time_unix_nano: Any = None
    observed_time_unix_nano: Any = None
    attributes: list[Pair] = []
    body: Any = None
    dropped_attributes_count: Raw | UnsetType = UNSET
    flags: Raw | UnsetType = UNSET
    severity_number: Raw | UnsetType = UNSET
    severity_text: Raw | UnsetType = UNSET
    span_id: Raw | UnsetType = UNSET
    trace_id: Raw | UnsetType = UNSET


_record = msgspec.json.Decoder(UsualRecord)


def record_of(raw: Raw) -> UsualRecord | None:
    """None where it must be read key by key."""
    try:
        return _record.decode(raw)
    except UNREADABLE:
        return None
