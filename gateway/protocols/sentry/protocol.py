"""Sentry's routes, keys and answers. Its SDKs drop on every status but 200, and keep what ends in
a closed connection: so nothing that could be sent again is answered with a status."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, Refused
from gateway.contract.verdict import Rejection, Verdicts
from gateway.protocols import reading
from gateway.protocols.protocol import HANG_UP, Answer, Head, Route
from gateway.protocols.repeated import take_context
from gateway.protocols.sentry.envelope import Envelope, Item, parse
from gateway.protocols.sentry.items import events_of
from gateway.protocols.sentry.keys import auth_of, key_of_dsn
from gateway.protocols.sentry.names import UNWANTED
from gateway.protocols.sentry.wrapper import Wrapper

_encode = msgspec.json.Encoder().encode
_HEADERS = ((b"x-sentry-rate-limits", UNWANTED),)
_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.WRONG_CONTENT_TYPE: 400,
    Refusal.TOO_LARGE: 413,
    Refusal.UNKNOWN_KEY: 403,
    Refusal.METHOD: 405,
}  # all others hang up


class SentryProtocol:
    """Sentry: `/api/{project}/envelope`, and `/api/{project}/store` of its older SDKs."""

    name = "sentry"

    def __init__(self) -> None:
        paths = ("/api/{project}/envelope", "/api/{project}/store")
        self.routes: Sequence[Route] = [Route("POST", path) for path in paths]

    def check(self, head: Head) -> None:
        """Their Content-Type lies or is missing: nothing to check."""

    def credentials(self, head: Head) -> str | None:
        return auth_of(head).get("sentry_key") or None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        envelope = _store(body) if head.path.endswith("/store") else parse(body)
        wrapper = Wrapper(envelope.header, auth_of(head).get("sentry_client", ""))
        found = events_of(envelope, wrapper)
        sent_at = wrapper.sent_at
        receipt = _event_id(wrapper, found.events)
        context = take_context(found.events)
        return [
            Batch(
                events=found.events,
                sent_at=sent_at,
                context=context,
                stamp=Stamp.EACH_ATTEMPT if sent_at else Stamp.NONE,
                write_key=key_of_dsn(reading.as_text(envelope.header.get("dsn"))),
                max_id_length=MAX_FOREIGN_ID_LENGTH,
                ignored=found.ignored,
                receipt=receipt,
            )
        ]

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        (verdict,) = verdicts
        return Answer(200, _encode({"id": verdict.receipt or None}), headers=_HEADERS)

    def refuse(self, head: Head, refused: Refused) -> Answer:
        status = _STATUS.get(refused.refusal)
        return Answer(status, _encode({"detail": refused.text})) if status else HANG_UP


def _store(body: bytes) -> Envelope:
    """One bare event. Raises Refused."""
    reading.json_object(body)
    return Envelope({}, [Item("event", body)])


def _event_id(wrapper: Wrapper, events: Sequence[Event | Rejection]) -> str:
    """As the client wrote it; empty where there are only sessions."""
    ids = (one.event_id for one in events if isinstance(one, Event) and not one.session_id)
    return (wrapper.event_id or next(ids, ""))[:MAX_FOREIGN_ID_LENGTH]
