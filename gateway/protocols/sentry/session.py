"""Sentry's sessions as starts and ends. What only updates a running session is no event."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_SEQUENCE, Context, Event
from gateway.protocols import reading
from gateway.protocols.loose import without_nulls
from gateway.protocols.sentry.context import context_of_session, library_of, release_of
from gateway.protocols.sentry.frames import number_of
from gateway.protocols.sentry.names import RUNNING
from gateway.protocols.sentry.trim import trimmed
from gateway.protocols.sentry.wrapper import Wrapper

_PLACED = {"sid", "did", "init", "timestamp", "seq", "attrs", "started"}
PLAIN = ("status", "errors", "duration", "abnormal_mechanism")


class About(Struct, frozen=True, gc=False):
    """What the sessions of one device with the same `attrs` have in common."""

    context: Context
    properties: dict[str, Raw]


class Session(Struct, frozen=True, gc=False):
    """What the start and the end of a session have in common."""

    id: str
    device_id: str
    sequence: int | None
    about: About

    def event(
        self,
        event_type: str,
        timestamp: datetime | None,
        said: dict[str, Raw],
        *,
        status: str = "",
    ) -> Event:
        """An event whose id is that of every copy of this start or end."""
        told = "\x1f".join((self.id, self.device_id, event_type, status))
        return Event(
            event_id=reading.content_id(told.encode()),
            type=event_type,
            timestamp=timestamp,
            session_id=self.id[:MAX_FOREIGN_ID_LENGTH],
            sequence=self.sequence,
            properties={**self.about.properties, **said},
            context=self.about.context,
        )


def about_of(attrs: Raw | None, device_id: str, wrapper: Wrapper) -> About:
    keys = without_nulls(reading.as_object(attrs))
    library = library_of(wrapper.header.get("sdk"), wrapper.client)
    release = release_of(reading.as_text(keys.get("release")))
    return About(context_of_session(device_id, release, library), _attributes(keys))


def events_of_session(payload: bytes, raw_keys: dict[str, Raw], wrapper: Wrapper) -> list[Event]:
    """None, a start, an end, or both. Raises Rejected."""
    keys = without_nulls(raw_keys)
    device_id = reading.as_text(keys.get("did"))
    sequence = number_of(reading.as_value(keys.get("seq")))
    session = Session(
        id=reading.as_text(keys.get("sid")) or reading.content_id(payload),
        device_id=device_id,
        sequence=sequence if sequence is not None and sequence <= MAX_SEQUENCE else None,
        about=about_of(keys.get("attrs"), device_id, wrapper),
    )
    started, ended = keys.get("started"), keys.get("timestamp")
    events: list[Event] = []
    if reading.as_value(keys.get("init")) is True:
        timestamp, odd = wrapper.instant(started, ended)
        events.append(trimmed(session.event("session_start", timestamp, odd)))
    status = reading.as_text(keys.get("status")) or RUNNING
    if status != RUNNING:
        said = {name: keys[name] for name in PLAIN if name in keys}
        said.update({f"$event.{k}": keys[k] for k in sorted(keys.keys() - _PLACED - {*PLAIN})})
        if started is not None:
            said["started"] = started
        timestamp, odd = wrapper.instant(ended, started)
        end = session.event("session_end", timestamp, {**said, **odd}, status=status)
        events.append(trimmed(end))
    return events


def _attributes(attrs: dict[str, Raw]) -> dict[str, Raw]:
    """`environment` keeps its name; the release is in the app's columns."""
    properties = {f"$event.attrs.{name}": raw for name, raw in attrs.items()}
    properties.pop("$event.attrs.release", None)
    environment = properties.pop("$event.attrs.environment", None)
    return {"environment": environment, **properties} if environment is not None else properties
