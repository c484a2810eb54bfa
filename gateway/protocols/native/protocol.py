"""`POST /v1/events`: one strict typed pass over the body; what fails it is read leniently."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.contract.event import MAX_CONTEXT_BYTES, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Rejection, Verdicts
from gateway.protocols.authorization import bearer
from gateway.protocols.native import lenient
from gateway.protocols.native.wire import (
    ErrorDetail,
    NativeBatch,
    NativeError,
    NativeReply,
    RejectedEvent,
)
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.reading import is_utf8
from gateway.protocols.salvage import salvage

_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.UNKNOWN_KEY: 401,
    Refusal.METHOD: 405,
    Refusal.SLOW: 408,
    Refusal.TOO_LARGE: 413,
    Refusal.WRONG_CONTENT_TYPE: 415,
    Refusal.OVER_SHARE: 429,
    Refusal.OVERLOADED: 503,
}
_strict = msgspec.json.Decoder(NativeBatch)
_encode = msgspec.json.Encoder().encode
_STAMP = Stamp.EACH_ATTEMPT


class NativeProtocol:
    """The protocol of our own SDKs and of everybody who writes one."""

    name = "native"
    routes: Sequence[Route] = (Route("POST", "/v1/events"),)

    def check(self, head: Head) -> None:
        if head.headers.get(b"content-type") == b"application/json":
            return
        content_type = head.header(b"content-type").partition(";")[0].strip().lower()
        if content_type not in ("", "application/json"):
            raise Refused(
                RefusalCode.UNSUPPORTED_CONTENT_TYPE,
                f"Content-Type is `{content_type[:64]}`, it must be `application/json`",
            )

    def credentials(self, head: Head) -> str | None:
        return bearer(head) or head.header(b"x-write-key") or None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        if not body:
            raise Refused(RefusalCode.EMPTY_BODY, "the body is empty")
        if not is_utf8(body):
            return [_lenient(salvage(body))]
        try:
            batch = _strict.decode(body)
        except msgspec.ValidationError:
            return [_lenient(body)]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [_lenient(salvage(body), str(error))]
        except RecursionError:
            raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None
        if len(body) > MAX_CONTEXT_BYTES and not _has_small_contexts(batch):
            return [_lenient(body)]
        events: list[Event | Rejection] = list(batch.events)
        return [
            Batch(
                events=events,
                sent_at=batch.sent_at,
                stamp=_STAMP,
                context=batch.context,
                write_key=batch.write_key,
            )
        ]

    def is_retry(self, head: Head) -> bool:
        return False  # `sent_at` is of this very attempt, so it needs no hint

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        (verdict,) = verdicts
        rejected = [
            RejectedEvent(one.index, one.event_id, one.code, one.text) for one in verdict.rejected
        ]
        body = NativeReply(
            accepted=verdict.accepted,
            duplicates=len(verdict.duplicates),
            rejected=rejected,
            stored=verdict.kept,
            server_time=verdict.server_time,
        )
        return Answer(200, _encode(body))

    def refuse(self, head: Head, refused: Refused) -> Answer:
        body = NativeError(ErrorDetail(refused.code, refused.text))
        return Answer(_STATUS[refused.refusal], _encode(body))


def _lenient(body: bytes | None, error: str = "it is not UTF-8") -> Batch:
    if body is None:
        raise Refused(RefusalCode.INVALID_JSON, f"the body is not JSON: {error}")
    return lenient.decode(body)


def _has_small_contexts(batch: NativeBatch) -> bool:
    contexts = [one.context for one in batch.events if one.context is not None]
    if batch.context is not None:
        contexts.append(batch.context)
    return all(len(_encode(one)) <= MAX_CONTEXT_BYTES for one in contexts)
