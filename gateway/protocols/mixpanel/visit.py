"""`$ae_session` as the close that it is, and the open that it tells of."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Raw, structs

from gateway.contract.event import Event
from gateway.protocols import reading
from gateway.protocols.mixpanel.names import SESSION

MAX_SECONDS = 366 * 24 * 3600.0

_encode = msgspec.json.Encoder().encode


def visit(session: Event) -> list[Event]:
    """Open and close, or the close alone where no length is told. Each has an id of its own, the
    same whenever the session comes."""
    source, properties = session.event_id, dict(session.properties or {})
    seconds = _seconds(properties.get("$ae_session_length"))
    if seconds is not None:
        properties["duration_ms"] = Raw(_encode(round(seconds * 1000)))
    close = structs.replace(
        session, event_id=f"{source}:app_close", type="app_close", properties=properties
    )
    opened = _before(session.timestamp, seconds)
    if opened is None:
        return [close]
    derived = structs.replace(
        close,
        event_id=f"{source}:app_open",
        type="app_open",
        timestamp=opened,
        sequence=None,
        properties={"$event.derived_from": Raw(_encode(SESSION))},
    )
    return [derived, close]


def _seconds(raw: Raw | None) -> float | None:
    try:
        seconds = float(reading.as_text(raw))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_SECONDS else None


def _before(instant: datetime | None, seconds: float | None) -> datetime | None:
    if instant is None or seconds is None:
        return None
    try:
        return instant - timedelta(seconds=seconds)
    except OverflowError:
        return None
