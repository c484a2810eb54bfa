"""Amplitude's routes, keys and answers. Its SDKs read the status from the answer's body."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code, Rejection, Verdicts
from gateway.protocols import reading, times
from gateway.protocols.amplitude.event import event_of
from gateway.protocols.amplitude.names import COUNTED
from gateway.protocols.amplitude.strict import StrictReader
from gateway.protocols.amplitude.upload import Upload, upload_of
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context

MAX_EVENTS = 2_000  # per POST, as Amplitude's own API takes

_encode = msgspec.json.Encoder().encode
_key = re.compile(rb'"api_key"\s*:\s*"([^"\\]{1,200})"').search
_STATUS = {
    Refusal.TOO_LARGE: 413,  # halved by all of them
    Refusal.UNKNOWN_KEY: 400,
    Refusal.METHOD: 405,
    Refusal.SLOW: 408,
    Refusal.OVER_SHARE: 429,
    Refusal.OVERLOADED: 429,
}  # any other is final, and a 400 that lists no event is repeated for ever: it is a 200
_OLD_TEXT = {400: "invalid_api_key", 200: "success"}


class AmplitudeProtocol:
    """Amplitude: `/2/httpapi`, `/batch`, and `/` of the SDKs before them."""

    name = "amplitude"

    def __init__(self) -> None:
        self.routes: Sequence[Route] = (
            Route("POST", "/2/httpapi"),
            Route("POST", "/batch"),
            Route("POST", "/"),
        )

    def check(self, head: Head) -> None:
        """Nothing that the head says is needed."""

    def credentials(self, head: Head) -> str | None:
        """The key is in the body."""
        return None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        try:
            upload = upload_of(body)
        except Refused as refused:
            named = _key(body)
            if named is None or refused.code is RefusalCode.MISSING_FIELD:
                raise
            return [_unreadable(named[1].decode("utf-8", "replace"), refused.text, body)]
        if upload.unreadable is not None:
            return [_unreadable(upload.key, "`e` is no JSON array", upload.unreadable)]
        if len(upload.events) > MAX_EVENTS:
            text = f"the POST has {len(upload.events)} events, the limit is {MAX_EVENTS}"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
        return [_batch(upload)]

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        if _is_old(head):
            return _text(200)
        length = head.header(b"content-length")
        told = times.parse(verdicts[0].server_time) if verdicts else None
        body = {
            "code": 200,
            "events_ingested": sum(one.decoded - len(one.rejected) for one in verdicts),
            "payload_size_bytes": int(length) if length.isdigit() else 0,
            "server_upload_time": int(told.timestamp() * 1000) if told else 0,
        }
        return Answer(200, _encode(body))

    def refuse(self, head: Head, refused: Refused) -> Answer:
        status = _STATUS.get(refused.refusal)
        if status is None:
            return self.reply(head, ())
        if _is_old(head):
            return _text(status)
        text = f"Invalid API key: {refused.text}" if status == 400 else refused.text
        return Answer(status, _encode({"code": status, "error": text}))


def _is_old(head: Head) -> bool:
    """SDKs before `/2/httpapi` compare the whole body with one word."""
    return not head.path.endswith(("/2/httpapi", "/batch"))


def _text(status: int) -> Answer:
    return Answer(status, _OLD_TEXT.get(status, "try_later").encode(), b"text/plain")


def _batch(upload: Upload) -> Batch:
    events: list[Event | Rejection] = []
    ignored = 0
    reader = StrictReader()
    for index, raw in enumerate(upload.events):
        event = reader.event_of(raw)
        if event is not None:
            events.append(event)
        elif _is_counted(raw):
            ignored += 1
        else:
            events.append(event_of(index, raw, upload.sent_at))
    sent_at = times.parse(reading.as_value(upload.sent_at))
    return Batch(
        events=events,
        sent_at=sent_at,
        stamp=Stamp.EACH_ATTEMPT if sent_at else Stamp.NONE,
        context=take_context(events),
        write_key=upload.key or None,
        max_id_length=MAX_FOREIGN_ID_LENGTH,
        ignored=ignored,
    )


def _is_counted(raw: Raw) -> bool:
    if COUNTED.encode() not in bytes(raw):
        return False
    return reading.as_text(reading.as_object(raw).get("event_type")).lower() == COUNTED


def _unreadable(key: str, text: str, body: bytes) -> Batch:
    """One rejection for the whole body."""
    rejection = Rejection(0, Code.INVALID_JSON, text, "", body)
    return Batch(events=[rejection], sent_at=None, stamp=Stamp.NONE, write_key=key or None)
