"""Records of `app-events` as rows, checked before ClickHouse sees them.

ClickHouse refuses a whole chunk for one bad row, and some badness it takes silently (numbers wrap,
null becomes a default): one typed decode per record finds both. The bytes themselves pass through.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.contract.uuid_text import is_uuid
from sinks.sink import AppHour, Bad, BadCode, Polled, Row

UInt8 = Annotated[int, Meta(ge=0, le=255)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, Meta(ge=0)]  # the upper bound is beyond what msgspec checks
Instant = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1)]

MAX_UINT64 = 2**64 - 1
HOUR_SECONDS = 3600
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2149, 6, 6, tzinfo=UTC)
OLDEST = timedelta(days=400)  # ts before received_at: views partition by month of ts
NEWEST = timedelta(days=1)  # ts after received_at


class EventRow(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Every column a record may set, in the order in which the gateway writes them: another one
    is read too, but slower. One that only the sink sets is unknown here: refused."""

    event_id: str  # a UUID, checked apart: msgspec takes 2 µs to make one
    event_type: Name
    occurred_at: Instant
    ts: Instant
    time_quality: Name
    source_event_id: str = ""
    event_name: str = ""
    session_id: str | None = None  # a UUID
    user_id: str = ""
    sequence: UInt64 = 0
    duration_ms: UInt32 = 0
    crash_kind: str = ""
    crash_fatal: bool = False
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""
    crash_group: UInt64 = 0
    crash_group_version: UInt8 = 0
    properties: dict[str, Raw] = {}
    received_at: Instant
    app_id: Name
    protocol: Name
    request_id: str
    device_id: Name
    sent_at: Instant | None = None
    country: str = ""
    app_package: str = ""
    app_version: str = ""
    app_build: str = ""
    os_name: str = ""
    os_version: str = ""
    device_manufacturer: str = ""
    device_model: str = ""
    device_type: str = ""
    locale: str = ""
    timezone: str = ""
    network_type: str = ""
    carrier: str = ""
    sdk_name: str = ""
    sdk_version: str = ""


_event = msgspec.json.Decoder(EventRow)
_IDENTITY = blake2b(digest_size=16)
_any = msgspec.json.Decoder(dict[str, Raw])


def identity_of(app_id: str, device_id: str, event_id: str) -> bytes:
    """What a re-sent copy has in common with its first: app, device and event id."""
    digest = _IDENTITY.copy()
    digest.update(f"{app_id}\0{device_id}\0{event_id.lower()}".encode("utf-8", "replace"))
    return digest.digest()


def read_event(record: Polled) -> Row | Bad:
    """A record of `app-events` as a row, or why it can never be one."""
    value = record.value
    if value is None:
        return _bad(record, BadCode.NO_VALUE, "the record has no value")
    try:
        if not value.isascii():
            value.decode()
        event = _event.decode(value)
    except UnicodeDecodeError:
        return _bad(record, BadCode.INVALID_UTF8, "the record is not UTF-8")
    except RecursionError:
        return _bad(record, BadCode.TOO_DEEP, "the record is nested too deep")
    except msgspec.ValidationError as error:
        return _bad(record, BadCode.INVALID_RECORD, str(error))
    except msgspec.DecodeError as error:
        return _bad(record, BadCode.INVALID_JSON, str(error))
    wrong = _wrong_time(event)
    if wrong:
        return _bad(record, BadCode.INVALID_TIME, wrong)
    if not is_uuid(event.event_id):
        return _bad(record, BadCode.INVALID_RECORD, "event_id is no UUID")
    if event.session_id is not None and not is_uuid(event.session_id):
        return _bad(record, BadCode.INVALID_RECORD, "session_id is no UUID")
    if event.sequence > MAX_UINT64 or event.crash_group > MAX_UINT64:
        return _bad(record, BadCode.INVALID_RECORD, "a number is beyond UInt64")
    bucket = _bucket(event.app_id, _hour_of(event.received_at))
    identity = identity_of(event.app_id, event.device_id, event.event_id)
    return Row(record.offset, value, identity, bucket)


@lru_cache(maxsize=1024)
def _bucket(app_id: str, hour: int) -> AppHour:
    """One object for the thousands of rows that share it."""
    return app_id, hour


def _hour_of(instant: datetime) -> int:
    """Whole hours since 1970."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return (instant.toordinal() - FIRST.toordinal()) * 24 + instant.hour


def _wrong_time(event: EventRow) -> str | None:
    if not FIRST <= event.occurred_at < LAST:
        return "occurred_at is out of range"
    if not FIRST <= event.ts < LAST:
        return "ts is out of range"
    if not FIRST <= event.received_at < LAST:
        return "received_at is out of range"
    if event.sent_at is not None and not FIRST <= event.sent_at < LAST:
        return "sent_at is out of range"
    if not -NEWEST <= event.received_at - event.ts <= OLDEST:
        return "ts is further from received_at than it may be"
    return None


def _bad(record: Polled, code: BadCode, text: str) -> Bad:
    """A bad record still tells whose it is, where that can be read."""
    fields: dict[str, str] = {}
    try:
        keys = _any.decode(record.value or b"{}")
        for name in ("app_id", "app_version", "event_id", "received_at"):
            found = msgspec.json.decode(keys[name]) if name in keys else ""
            fields[name] = found if isinstance(found, str) else ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = {}
    hour = _hour(fields.get("received_at", ""), record.timestamp_ms)
    app_id = fields.get("app_id", "")[:64]
    return Bad(
        record,
        code,
        text[:500],
        (app_id, hour),
        fields.get("app_version", "")[:64],
        fields.get("event_id", "")[:64],
    )


def _hour(received_at: str, timestamp_ms: int) -> int:
    try:
        instant = msgspec.convert(received_at, Instant)
        if FIRST <= instant < LAST:
            return _hour_of(instant)
    except msgspec.ValidationError:
        pass
    return max(0, timestamp_ms) // (HOUR_SECONDS * 1000)


def bad_row(record: Polled, text: str) -> Bad:
    """A record whose row the engine alone refused."""
    return _bad(record, BadCode.REFUSED, text)
