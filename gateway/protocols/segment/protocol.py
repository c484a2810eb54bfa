"""Segment's routes, keys and answers. Its SDKs drop on most 4xx, so those are given sparingly."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code, Rejection, Verdicts
from gateway.protocols import reading, times
from gateway.protocols.authorization import basic_user
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context
from gateway.protocols.segment import strict
from gateway.protocols.segment.message import event_of
from gateway.protocols.segment.names import LATE_STAMP_LIBRARIES
from gateway.protocols.segment.session import STARTS, with_session_starts

MAX_CALLS = 2_500  # per batch, as Segment's own API takes
CALL_PATHS = ("track", "identify", "screen", "page", "group", "alias")

_encode = msgspec.json.Encoder().encode
_SUCCESS = Answer(200, b'{"success":true}')
_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.TOO_LARGE: 400,  # analytics-swift repeats a 413 for ever
    Refusal.UNKNOWN_KEY: 400,
    Refusal.METHOD: 405,
    Refusal.SLOW: 408,
    Refusal.WRONG_CONTENT_TYPE: 400,
    Refusal.OVER_SHARE: 429,  # kept by all of them; Node's waits for Retry-After on this one only
    Refusal.OVERLOADED: 503,
}
_RUDDER_STATUS = {Refusal.TOO_LARGE: 413, Refusal.UNKNOWN_KEY: 401}


class SegmentProtocol:
    """Segment: `/v1/batch`, `/v1/b`, `/v1/import` and one path per call."""

    name = "segment"

    def __init__(self) -> None:
        batches = [Route("POST", path) for path in ("/v1/batch", "/v1/b", "/v1/import")]
        calls = [Route("POST", f"/v1/{call}") for call in CALL_PATHS]
        settings = Route("GET", "/v1/projects/{key}/settings", answer=_settings)
        self.routes: Sequence[Route] = (*batches, *calls, settings)

    def check(self, head: Head) -> None:
        """Their Content-Type lies: nothing to check."""

    def credentials(self, head: Head) -> str | None:
        return basic_user(head)

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        try:
            keys = reading.json_object(body)
        except Refused as refused:
            if not self._is_rudder(head) or self.credentials(head) is None:
                raise
            return [_unreadable(refused, body)]
        calls, name = _calls(head, keys, body)
        if len(calls) > MAX_CALLS:
            text = f"`batch` has {len(calls)} entries, the limit is {MAX_CALLS} - at `$.batch`"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
        sent_at = keys.get("sentAt") or (
            reading.as_object(calls[0]).get("sentAt") if calls else None
        )
        events = [
            strict.event_of(raw, name) or event_of(index, raw, name, sent_at)
            for index, raw in enumerate(calls)
        ]
        positions: list[int] = []
        if STARTS in body:
            events, positions = with_session_starts(events)
        return [
            Batch(
                events=events,
                positions=positions,
                sent_at=times.parse(reading.as_value(sent_at)),
                stamp=_stamp(events),  # which looks at contexts
                context=take_context(events),
                write_key=reading.as_text(keys.get("writeKey")) or None,
                max_id_length=MAX_FOREIGN_ID_LENGTH,
            )
        ]

    def is_retry(self, head: Head) -> bool:
        return head.header(b"x-retry-count") not in ("", "0")

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        return _SUCCESS

    def refuse(self, head: Head, refused: Refused) -> Answer:
        status = _STATUS[refused.refusal]
        if self._is_rudder(head):
            status = _RUDDER_STATUS.get(refused.refusal, status)
        text = "Invalid write key" if status == 401 else refused.text
        body = {"success": False, "error": {"code": refused.code, "message": text}}
        return Answer(status, _encode(body))

    def _is_rudder(self, head: Head) -> bool:
        """RudderStack's mobile SDKs post there too, and its statuses are right for both."""
        return head.path == "/v1/batch"


def _unreadable(refused: Refused, body: bytes) -> Batch:
    """One rejection for the whole body: RudderStack's SDKs repeat a 400 for ever."""
    rejection = Rejection(0, Code.INVALID_JSON, refused.text, "", body)
    return Batch(events=[rejection], sent_at=None, stamp=Stamp.NONE)


def _calls(head: Head, keys: dict[str, Raw], body: bytes) -> tuple[list[Raw], str]:
    """The calls of a POST, and the type its path gives them."""
    name = head.path.rpartition("/")[2]
    if name in CALL_PATHS:
        return [Raw(_encode(keys))], name
    calls = reading.as_list(keys.get("batch"))
    if calls is None:
        text = "Expected `array` - at `$.batch`"
        raise Refused(RefusalCode.MISSING_FIELD, text)
    return calls, ""


def _stamp(events: Sequence[Event | Rejection]) -> Stamp:
    for event in events:
        if isinstance(event, Event) and event.context and event.context.library:
            name = (event.context.library.name or "").lower()
            if name.startswith(LATE_STAMP_LIBRARIES):
                return Stamp.BATCH_CLOSED
            break
    return Stamp.EACH_ATTEMPT


def _settings(head: Head) -> Answer:
    """What Segment's mobile SDKs ask at their start: where to send, and to honour Retry-After.

    It must name this host: those SDKs let this answer override their configured one.
    """
    key = head.path.split("/")[-2]
    path = head.path.removesuffix(f"/projects/{key}/settings")
    segment = {
        "apiKey": key,
        "apiHost": head.header(b"host") + path,
        "httpConfig": {
            "rateLimitConfig": {"enabled": True, "maxRetryCount": 100, "maxRetryInterval": 300},
            "backoffConfig": {
                "enabled": True,
                "maxRetryCount": 100,
                "baseBackoffInterval": 0.5,
                "maxBackoffInterval": 300,
                "maxTotalBackoffDuration": 43200,
                "jitterPercent": 10,
            },
        },
    }
    body = {
        "integrations": {"Segment.io": segment},
        "plan": {},
        "edgeFunction": {},
        "middlewareSettings": {},
        "metrics": {"sampleRate": 0},
    }
    return Answer(200, _encode(body))
