"""What an event says, as a short digest that is the same wherever the event lies.

It covers what the path must carry unchanged: type, name, the device's own time, sequence, session,
user, properties and crash. Left out is what the gateway makes itself: corrected time, context,
crash groups, properties under `$`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.contract.event import CRASH_TYPES, EVENT_TYPES
from gateway.contract.record import EPOCH, LAST_INSTANT

DIGEST_BYTES = 8
NO_SESSION = "00000000-0000-0000-0000-000000000000"  # what ClickHouse says where there is none

_MILLISECOND = timedelta(milliseconds=1)
_encoder = msgspec.json.Encoder()


class Said(Struct, frozen=True, kw_only=True, array_like=True):
    """What a digest is made of; a property's value is its text, or its JSON where it is no text."""

    event_type: str
    event_name: str = ""
    occurred_at_ms: int = 0  # 0 for a time that is none
    sequence: int = 0
    session_id: str = ""
    user_id: str = ""
    properties: list[tuple[str, str]] = []
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""


class Record(Struct, frozen=True, kw_only=True):
    """A record of `app-events`, as far as it tells what an event said."""

    event_id: str
    app_id: str
    device_id: str
    event_type: str
    occurred_at: Annotated[datetime, Meta(tz=True)]
    source_event_id: str = ""
    event_name: str = ""
    sequence: int = 0
    session_id: str = ""
    user_id: str = ""
    properties: dict[str, Raw] = {}
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""


def digest_of(said: Said) -> str:
    """16 hex digits."""
    return blake2b(_encoder.encode(said), digest_size=DIGEST_BYTES).hexdigest()


def of_sent(event: Mapping[str, Any]) -> str:
    """The digest of a native event, as it is when msgspec encodes it for the wire; empty when it
    breaks the contract."""
    if "type" not in event or "timestamp" not in event:
        return ""
    kind, name = str(event["type"]), str(event.get("name", ""))
    if kind not in EVENT_TYPES:
        kind, name = "track", kind
    crash = event.get("crash", {}) if kind in CRASH_TYPES else {}
    exception = crash.get("exception", {})
    encoded = {key: _encoder.encode(one) for key, one in event.get("properties", {}).items()}
    return digest_of(
        Said(
            event_type=kind,
            event_name=name,
            occurred_at_ms=_sent_milliseconds(str(event["timestamp"])),
            sequence=int(event.get("sequence", 0)),
            session_id=str(event.get("session_id", "")),
            user_id=str(event.get("user_id", "")),
            properties=_texts((key, _text(one)) for key, one in encoded.items()),
            crash_type=str(exception.get("type", "")),
            crash_reason=str(exception.get("message", "")),
            crash_stack=_encoder.encode(crash["frames"]).decode() if "frames" in crash else "",
        )
    )


def of_record(record: Record) -> str:
    """The digest of an event that lies in Kafka."""
    return digest_of(
        Said(
            event_type=record.event_type,
            event_name=record.event_name,
            occurred_at_ms=_milliseconds(record.occurred_at),
            sequence=record.sequence,
            session_id=record.session_id,
            user_id=record.user_id,
            properties=_texts((key, _text(bytes(one))) for key, one in record.properties.items()),
            crash_type=record.crash_type,
            crash_reason=record.crash_reason,
            crash_stack=record.crash_stack,
        )
    )


def of_row(
    event_type: str,
    event_name: str,
    occurred_at_ms: int,
    sequence: int,
    session_id: str,
    user_id: str,
    properties: Mapping[str, str],
    crash: tuple[str, str, str],
) -> str:
    """The digest of a row in ClickHouse; `crash` is its type, reason and stack."""
    crash_type, crash_reason, crash_stack = crash
    return digest_of(
        Said(
            event_type=event_type,
            event_name=event_name,
            occurred_at_ms=occurred_at_ms,
            sequence=sequence,
            session_id="" if session_id == NO_SESSION else session_id,
            user_id=user_id,
            properties=_texts(properties.items()),
            crash_type=crash_type,
            crash_reason=crash_reason,
            crash_stack=crash_stack,
        )
    )


def _texts(properties: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(one for one in properties if not one[0].startswith("$"))


def _text(value: bytes) -> str:
    return str(msgspec.json.decode(value)) if value.startswith(b'"') else value.decode()


def _sent_milliseconds(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return _milliseconds(instant) if instant.tzinfo is not None else 0


def _milliseconds(instant: datetime) -> int:
    return (instant - EPOCH) // _MILLISECOND if EPOCH <= instant < LAST_INSTANT else 0
