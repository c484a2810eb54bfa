"""Snowplow's routes, keys and answers. Its trackers drop on 400, 401, 403, 410 and 422, and keep on
everything else."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_EVENTS, MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Rejection, Verdicts
from gateway.protocols import forms, reading, times
from gateway.protocols.loose import without_nulls
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context
from gateway.protocols.snowplow.event import Payload, native_of

_POST_PATH, _GET_PATH = "/com.snowplowanalytics.snowplow/tp2", "/i"
_PREFIX = "/snowplow/"

_encode = msgspec.json.Encoder().encode
_OK = Answer(200, b"ok", b"text/plain")
_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.TOO_LARGE: 400,  # they repeat a 413 for ever
    Refusal.WRONG_CONTENT_TYPE: 400,
    Refusal.UNKNOWN_KEY: 403,
    Refusal.METHOD: 405,
    Refusal.SLOW: 408,
    Refusal.OVER_SHARE: 503,
    Refusal.OVERLOADED: 503,
}


class SnowplowProtocol:
    """Snowplow: payloads by POST, or one by GET. The protocol has no key: the path carries it,
    before the vendor's own; or the app's id is the key."""

    name = "snowplow"

    def __init__(self) -> None:
        self.routes: Sequence[Route] = (
            Route("POST", _POST_PATH),
            Route("POST", "/{key}" + _POST_PATH),
            Route("GET", _GET_PATH),  # without a prefix it is Countly's
            Route("GET", "/{key}" + _GET_PATH),
        )

    def check(self, head: Head) -> None:
        """Nothing that the head says is needed."""

    def credentials(self, head: Head) -> str | None:
        """That of the path."""
        path = head.path.removesuffix(_GET_PATH if head.method == "GET" else _POST_PATH)
        return f"{path}/".removeprefix(_PREFIX).strip("/") or None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        raws = [_of_query(head.query)] if head.method == "GET" else _of_body(body)
        if len(raws) > MAX_EVENTS:
            text = f"`data` has {len(raws)} entries, the limit is {MAX_EVENTS} - at `$.data`"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
        payloads = [Payload(raw, without_nulls(reading.as_object(raw))) for raw in raws]
        if self.credentials(head) is not None:
            return [_batch(None, list(enumerate(payloads)))]
        return [_batch(key, found) for key, found in _by_app(payloads).items()]

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        return _OK

    def refuse(self, head: Head, refused: Refused) -> Answer:
        body = {"error": refused.code, "message": refused.text}
        return Answer(_STATUS[refused.refusal], _encode(body))


def _of_body(body: bytes) -> list[Raw]:
    """Raises Refused."""
    payloads = reading.as_list(reading.json_object(body).get("data"))
    if payloads is None:
        raise Refused(RefusalCode.MISSING_FIELD, "Expected `array` - at `$.data`")
    return payloads


def _of_query(query: bytes) -> Raw:
    """Raises Refused."""
    fields = forms.fields(query)
    return Raw(_encode({name: text.decode("utf-8", "replace") for name, text in fields.items()}))


def _by_app(payloads: Sequence[Payload]) -> dict[str, list[tuple[int, Payload]]]:
    """The payloads of each app, whose id is their key. One that names none stands with the one
    before it. Raises Refused."""
    keys = [reading.as_text(one.keys.pop("aid", None)) for one in payloads]  # no secret is stored
    key = next((one for one in keys if one), "")
    if not key:
        text = "no write key: put it into the path, or let `aid` be the key"
        raise Refused(RefusalCode.MISSING_KEY, text)
    groups: dict[str, list[tuple[int, Payload]]] = {}
    for index, payload in enumerate(payloads):
        key = keys[index] or key
        groups.setdefault(key, []).append((index, payload))
    return groups


def _batch(key: str | None, payloads: Sequence[tuple[int, Payload]]) -> Batch:
    events: list[Event | Rejection] = []
    positions: list[int] = []
    for index, payload in payloads:
        event = native_of(index, payload)
        if event is not None:
            events.append(event)
            positions.append(index)
    sent = next((one.keys["stm"] for _, one in payloads if "stm" in one.keys), None)
    sent_at = times.parse(reading.as_value(sent))
    return Batch(
        events=events,
        sent_at=sent_at,
        stamp=Stamp.EACH_ATTEMPT if sent_at else Stamp.NONE,
        context=take_context(events),
        write_key=key,
        max_id_length=MAX_FOREIGN_ID_LENGTH,
        positions=positions,
        ignored=len(payloads) - len(events),
    )
