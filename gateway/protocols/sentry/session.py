"""Sentry's sessions as starts and ends. What only updates a running session is no event."""

from __future__ import annotations

from msgspec import Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_SEQUENCE, Event
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading
from gateway.protocols.loose import without_nulls
from gateway.protocols.sentry.context import context_of_session, library_of, release_of
from gateway.protocols.sentry.frames import as_json, number_of
from gateway.protocols.sentry.names import RUNNING
from gateway.protocols.sentry.trim import trimmed
from gateway.protocols.sentry.wrapper import Wrapper

MAX_BUCKETS = 500
_PLACED = {"sid", "did", "init", "timestamp", "seq", "attrs", "started"}
_PLAIN = ("status", "errors", "duration", "abnormal_mechanism")
_COUNTED = ("exited", "errored", "abnormal", "unhandled", "crashed")


class _Session(Struct, frozen=True, gc=False):
    """What the start and the end of a session have in common."""

    id: str
    wrapper: Wrapper
    device_id: str
    sequence: int | None
    attrs: dict[str, Raw]
    properties: dict[str, Raw]

    def event(
        self, event_type: str, said: dict[str, Raw], *times: Raw | None, status: str = ""
    ) -> Event:
        """An event whose id is that of every copy of this start or end. Raises Rejected."""
        timestamp, odd = self.wrapper.instant(*times)
        library = library_of(self.wrapper.header.get("sdk"), self.wrapper.client)
        release = release_of(reading.as_text(self.attrs.get("release")))
        parts = (self.id, self.device_id, event_type, status)
        event = Event(
            event_id=reading.content_id(*(part.encode() for part in parts)),
            type=event_type,
            timestamp=timestamp,
            session_id=self.id[:MAX_FOREIGN_ID_LENGTH],
            sequence=self.sequence,
            properties={**self.properties, **said, **odd},
            context=context_of_session(self.device_id, release, library),
        )
        return trimmed(event)


def events_of_session(payload: bytes, raw_keys: dict[str, Raw], wrapper: Wrapper) -> list[Event]:
    """None, a start, an end, or both. Raises Rejected."""
    keys = without_nulls(raw_keys)
    attrs = without_nulls(reading.as_object(keys.get("attrs")))
    sequence = number_of(reading.as_value(keys.get("seq")))
    session = _Session(
        id=reading.as_text(keys.get("sid")) or reading.content_id(payload),
        wrapper=wrapper,
        device_id=reading.as_text(keys.get("did")),
        sequence=sequence if sequence is not None and sequence <= MAX_SEQUENCE else None,
        attrs=attrs,
        properties=_attributes(attrs),
    )
    started, ended = keys.get("started"), keys.get("timestamp")
    events: list[Event] = []
    if reading.as_value(keys.get("init")) is True:
        events.append(session.event("session_start", {}, started, ended))
    status = reading.as_text(keys.get("status")) or RUNNING
    if status != RUNNING:
        said = {name: keys[name] for name in _PLAIN if name in keys}
        said.update({f"$event.{k}": keys[k] for k in sorted(keys.keys() - _PLACED - {*_PLAIN})})
        if started is not None:
            said["started"] = started
        events.append(session.event("session_end", said, ended, started, status=status))
    return events


def events_of_aggregates(raw_keys: dict[str, Raw], wrapper: Wrapper) -> list[Event]:
    """Servers count their sessions by minute and outcome: a start and an end for each such count,
    which `count` tells. Raises Rejected."""
    keys = without_nulls(raw_keys)
    attrs = without_nulls(reading.as_object(keys.get("attrs")))
    about = bytes(keys.get("attrs", b""))
    events: list[Event] = []
    buckets = reading.as_list(keys.get("aggregates")) or []
    if len(buckets) > MAX_BUCKETS:
        text = f"`aggregates` has {len(buckets)} entries, the limit is {MAX_BUCKETS}"
        raise Rejected(Code.INVALID_FIELD, text)
    for raw in buckets:
        bucket = without_nulls(reading.as_object(raw))
        for status in _COUNTED:
            count = number_of(reading.as_value(bucket.get(status)))
            if not count:
                continue
            session = _Session(
                id=reading.content_id(about, bytes(raw), status.encode()),
                wrapper=wrapper,
                device_id=reading.as_text(bucket.get("did")),
                sequence=None,
                attrs=attrs,
                properties={**_attributes(attrs), "count": as_json(count)},
            )
            said, started = {"status": as_json(status)}, bucket.get("started")
            events.append(session.event("session_start", {}, started))
            events.append(session.event("session_end", said, started, status=status))
    return events


def _attributes(attrs: dict[str, Raw]) -> dict[str, Raw]:
    """`environment` keeps its name; the release is in the app's columns."""
    properties = {f"$event.attrs.{name}": raw for name, raw in attrs.items()}
    properties.pop("$event.attrs.release", None)
    environment = properties.pop("$event.attrs.environment", None)
    return {"environment": environment, **properties} if environment is not None else properties
