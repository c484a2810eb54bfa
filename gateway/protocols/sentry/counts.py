"""Sessions that servers count by minute and outcome: a start and an end for each such count, which
`count` tells."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.contract.event import MAX_PROPERTIES, Event
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times
from gateway.protocols.loose import without_nulls
from gateway.protocols.sentry.frames import as_json, number_of
from gateway.protocols.sentry.session import About, Session, about_of
from gateway.protocols.sentry.trim import trimmed
from gateway.protocols.sentry.wrapper import Wrapper

MAX_BUCKETS = 500
MAX_BYTES = 4096  # of `attrs` and a bucket whose events never have to be trimmed
MAX_SAID = 3  # properties that an event has beside those of its `attrs`

_OUTCOMES = ("exited", "errored", "abnormal", "unhandled", "crashed")
_STATUSES = {name: as_json(name) for name in _OUTCOMES}
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Bucket(Struct, frozen=True, gc=False):
    """A minute of one device: how many of its sessions ended how, none of them 0."""

    device_id: str
    counts: dict[str, int]
    timestamp: datetime | None = None
    odd: dict[str, Raw] = {}


class _Usual(Struct, forbid_unknown_fields=True, gc=False):
    """A bucket as nearly all are: what has another type, or lacks its time, fails this pass."""

    started: datetime
    did: str = ""
    exited: _Count = 0
    errored: _Count = 0
    abnormal: _Count = 0
    unhandled: _Count = 0
    crashed: _Count = 0


_usual = msgspec.json.Decoder(_Usual)
_counts = attrgetter(*_OUTCOMES)


def events_of_counts(raw_keys: dict[str, Raw], wrapper: Wrapper) -> list[Event]:
    """Raises Rejected."""
    keys = without_nulls(raw_keys)
    attrs = keys.get("attrs")
    named = bytes(keys.get("attrs", b""))
    events: list[Event] = []
    abouts: dict[str, About] = {}  # by device
    buckets = reading.as_list(keys.get("aggregates")) or []
    if len(buckets) > MAX_BUCKETS:
        reason = f"`aggregates` has {len(buckets)} entries, the limit is {MAX_BUCKETS}"
        raise Rejected(Code.INVALID_FIELD, reason)
    for raw in buckets:
        bucket = usual_bucket(raw) or bucket_of(raw, wrapper)
        if not bucket.counts:
            continue
        about = abouts.get(bucket.device_id)
        if about is None:
            about = abouts[bucket.device_id] = about_of(attrs, bucket.device_id, wrapper)
        text = bytes(raw)
        made = _events(bucket, about, named, text)
        is_small = len(named) + len(text) <= MAX_BYTES and not bucket.odd
        if not is_small or len(about.properties) + MAX_SAID >= MAX_PROPERTIES:
            made = [trimmed(event) for event in made]
        events += made
    return events


def usual_bucket(raw: Raw) -> Bucket | None:
    """In one typed pass; None where it must be read key by key."""
    try:
        usual = _usual.decode(raw)
        timestamp = times.utc(usual.started)
    except (*reading.UNREADABLE, OverflowError):
        return None
    counts = {one: count for one, count in zip(_OUTCOMES, _counts(usual), strict=True) if count}
    return Bucket(usual.did, counts, timestamp) if counts else Bucket(usual.did, counts)


def bucket_of(raw: Raw, wrapper: Wrapper) -> Bucket:
    """Raises Rejected."""
    keys = without_nulls(reading.as_object(raw))
    told = {one: number_of(reading.as_value(keys[one])) for one in _OUTCOMES if one in keys}
    counts = {one: count for one, count in told.items() if count}
    device_id = reading.as_text(keys.get("did"))
    if not counts:
        return Bucket(device_id, counts)
    return Bucket(device_id, counts, *wrapper.instant(keys.get("started")))


def _events(bucket: Bucket, about: About, named: bytes, text: bytes) -> list[Event]:
    events: list[Event] = []
    for status, count in bucket.counts.items():
        session = Session(
            id=reading.content_id(named, text, status.encode()),
            device_id=bucket.device_id,
            sequence=None,
            about=About(about.context, {**about.properties, "count": as_json(count)}),
        )
        said = {"status": _STATUSES[status], **bucket.odd}
        events += (
            session.event("session_start", bucket.timestamp, bucket.odd),
            session.event("session_end", bucket.timestamp, said, status=status),
        )
    return events
