"""Countly's routes, key and answers. Its SDKs repeat for ever what is not `result`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Verdicts
from gateway.protocols import forms
from gateway.protocols.countly.action import events_of
from gateway.protocols.countly.request import Request
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context

_encode = msgspec.json.Encoder().encode
_SUCCESS = Answer(200, b'{"result":"Success"}')
_CONFIGURATION = Answer(200, b'{"v":1,"t":1,"c":{}}')
_STATUS = {Refusal.METHOD: 405, Refusal.SLOW: 408, Refusal.OVER_SHARE: 503, Refusal.OVERLOADED: 503}


class CountlyProtocol:
    """Countly: `/i`, by GET or POST, and the configuration its SDKs ask for."""

    name = "countly"

    def __init__(self) -> None:
        self.routes: Sequence[Route] = (
            Route("POST", "/i"),
            Route("GET", "/i"),
            Route("GET", "/o/sdk", answer=lambda _: _CONFIGURATION),
        )

    def check(self, head: Head) -> None:
        """Nothing that the head says is needed."""

    def credentials(self, head: Head) -> str | None:
        """The key is a field."""
        return None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        fields = {**forms.fields(head.query), **forms.fields(body)}
        if "app_key" not in fields:
            raise Refused(RefusalCode.MISSING_FIELD, "`app_key` is missing")
        request = Request(fields)
        events = events_of(request)
        return [
            Batch(
                events=events,
                sent_at=None,
                context=take_context(events),
                stamp=Stamp.NONE,
                write_key=request.text("app_key") or None,
                max_id_length=MAX_FOREIGN_ID_LENGTH,
                ignored=0 if events else 1,  # a heartbeat
            )
        ]

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        return _SUCCESS

    def refuse(self, head: Head, refused: Refused) -> Answer:
        status = _STATUS.get(refused.refusal)
        if status is None:  # final, and said so by the only answer that ends it
            return _SUCCESS
        return Answer(status, _encode({"error": refused.text}))
