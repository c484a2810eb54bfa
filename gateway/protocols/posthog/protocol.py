"""PostHog's routes, keys and answers. Its mobile SDKs drop their whole queue after four failures
in a row, so a refusal is always one they wait with: 429 with Retry-After."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Library, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Rejection, Verdicts
from gateway.protocols import reading, times
from gateway.protocols.authorization import bearer
from gateway.protocols.posthog import body as bodies
from gateway.protocols.posthog import stubs
from gateway.protocols.posthog.body import Body, Item
from gateway.protocols.posthog.event import Sent, event_of, is_counted_only
from gateway.protocols.posthog.strict import StrictReader
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context

V1_PATH = "/i/v1/analytics/events"

_encode = msgspec.json.Encoder().encode
_query_time = re.compile(rb"(?:^|&)_=([0-9]{10,16})(?:&|$)").search  # browsers' sent time
_TAKEN = {"result": "ok"}
_STORED = Answer(200, b'{"status":1}')
_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.WRONG_CONTENT_TYPE: 400,
    Refusal.UNKNOWN_KEY: 401,
    Refusal.METHOD: 405,
    Refusal.SLOW: 408,
    Refusal.TOO_LARGE: 413,  # they halve the batch
    Refusal.OVER_SHARE: 429,
    Refusal.OVERLOADED: 429,
}


class PostHogProtocol:
    """PostHog: batches, single events, v1 with a result per event, and no flags."""

    name = "posthog"

    def __init__(self) -> None:
        paths = ("/batch", "/e", "/i/v0/e", "/capture", V1_PATH)
        asked = [Route("POST", path, answer=stubs.flags) for path in ("/flags", "/decide")]
        config = Route("GET", "/array/{key}/config", answer=stubs.remote_config)
        self.routes: Sequence[Route] = (*[Route("POST", path) for path in paths], *asked, config)

    def check(self, head: Head) -> None:
        """Their Content-Type lies: nothing to check."""

    def credentials(self, head: Head) -> str | None:
        """Only v1 has its key in the head."""
        return bearer(head) if _is_v1(head) else None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        read = bodies.read(body)
        sent = Sent(_sent_at(head, read.sent_at), _library(head) if _is_v1(head) else None)
        parts = _of_one_key(read, sent) if read.key else _of_any_key(read, sent)
        return [
            Batch(
                events=part.events,
                sent_at=sent.at,
                stamp=Stamp.EACH_ATTEMPT,
                context=take_context(part.events),
                write_key=key or None,
                max_id_length=MAX_FOREIGN_ID_LENGTH,
                positions=part.positions,
                ignored=part.ignored,
                receipt=part.ids if _is_v1(head) else "",
            )
            for key, part in parts.items()
        ]

    def is_retry(self, head: Head) -> bool:
        return head.header(b"posthog-attempt") not in ("", "1")

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        """v1 tells of each event what became of it."""
        if not _is_v1(head):
            return _STORED
        results: dict[str, dict[str, str]] = {}
        for verdict in verdicts:
            results |= dict.fromkeys(verdict.receipt.split("\n"), _TAKEN)
            for one in verdict.rejected:
                results[one.event_id] = {"result": "drop", "details": one.text}
        results.pop("", None)
        return Answer(200, _encode({"results": results}))

    def refuse(self, head: Head, refused: Refused) -> Answer:
        is_ours = refused.code is RefusalCode.INTERNAL_ERROR
        status = 503 if is_ours else _STATUS[refused.refusal]
        return Answer(status, _encode({"code": refused.code, "detail": refused.text}))


class _Part:
    """What one key has of a POST."""

    __slots__ = ("events", "ignored", "positions")

    def __init__(self) -> None:
        self.events: list[Event | Rejection] = []
        self.positions: list[int] = []
        self.ignored = 0

    @property
    def ids(self) -> str:
        """Of its events, one a line."""
        return "\n".join(one.event_id for one in self.events)

    def add(self, index: int, item: Item, sent: Sent) -> None:
        if is_counted_only(item):
            self.ignored += 1
        else:
            self.place(index, event_of(index, item, sent))

    def place(self, index: int, event: Event | Rejection) -> None:
        self.events.append(event)
        self.positions.append(index)


def _of_one_key(read: Body, sent: Sent) -> dict[str, _Part]:
    reader, part = StrictReader(sent), _Part()
    for index, raw in enumerate(read.items):
        event = reader.event_of(raw)
        if event is not None:
            part.place(index, event)
        else:
            part.add(index, bodies.item_of(raw), sent)
    return {read.key: part}


def _of_any_key(read: Body, sent: Sent) -> dict[str, _Part]:
    """Web SDKs write the key into each event."""
    items = [bodies.item_of(raw) for raw in read.items]
    keys = [item.key for item in items]
    shared = next((key for key in keys if key), "")  # of items that name none
    parts: dict[str, _Part] = {}
    for index, item in enumerate(items):
        parts.setdefault(keys[index] or shared, _Part()).add(index, item, sent)
    return parts or {shared: _Part()}


def _is_v1(head: Head) -> bool:
    return head.path.endswith(V1_PATH)


def _sent_at(head: Head, given: Raw | None) -> datetime | None:
    if given is not None:
        return times.parse(reading.as_value(given))
    if stamp := head.header(b"posthog-request-timestamp"):
        return times.parse(stamp)
    found = _query_time(head.query)
    return times.parse(int(found[1])) if found else None


def _library(head: Head) -> Library | None:
    name, _, version = head.header(b"posthog-sdk-info").partition("/")
    return Library(name=name[:64], version=version[:64] or None) if name else None
