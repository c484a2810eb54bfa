"""RudderStack's sessions: the first call of one says so in its context."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Raw, structs

from gateway.contract.event import Event
from gateway.contract.verdict import Rejection
from gateway.protocols import reading, times

STARTS = b'"sessionStart"'  # no body without it has a start
LONGEST = timedelta(days=1)  # from a session's start to the call that tells of it

_encode = msgspec.json.Encoder().encode


def with_session_starts(
    events: Sequence[Event | Rejection],
) -> tuple[list[Event | Rejection], list[int]]:
    """The events, before each that starts a session that start, and their positions in the POST."""
    found: list[Event | Rejection] = []
    positions: list[int] = []
    for position, event in enumerate(events):
        if isinstance(event, Event) and _starts_one(event):
            found.append(_start_of(event))
            positions.append(position)
        found.append(event)
        positions.append(position)
    return found, positions


def _starts_one(event: Event) -> bool:
    told = (event.properties or {}).get("$context.sessionStart")
    return bool(event.session_id) and reading.as_value(told) is True


def _start_of(event: Event) -> Event:
    """Its id is the session's: a call that is told twice to start it starts one."""
    device = event.context.device.id if event.context and event.context.device else None
    session = ((device or "").encode(), (event.session_id or "").encode())
    return structs.replace(
        event,
        event_id=reading.content_id(*session, b"session_start"),
        type="session_start",
        timestamp=_started_at(event),
        name=None,
        properties={"$event.derived_from": Raw(_encode("sessionStart"))},
        crash=None,
    )


def _started_at(event: Event) -> datetime | None:
    """An automatic session's id is the second that it began in; one by hand may be any number."""
    told = times.parse(event.session_id)
    if event.timestamp is None or told is None:
        return event.timestamp
    return told if timedelta(0) <= event.timestamp - told < LONGEST else event.timestamp
