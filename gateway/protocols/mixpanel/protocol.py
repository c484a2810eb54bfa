"""Mixpanel's routes, keys and answers. Its SDKs repeat for ever what is not answered as success."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code, Rejection, Verdicts
from gateway.protocols.authorization import basic_user
from gateway.protocols.mixpanel.event import told_by
from gateway.protocols.mixpanel.item import Told
from gateway.protocols.mixpanel.post import (
    MAX_ITEMS,
    VERBOSE,
    Content,
    asks_verbose,
    content_of,
)
from gateway.protocols.mixpanel.strict import StrictReader
from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.repeated import take_context

_encode = msgspec.json.Encoder().encode
_PLAIN = Answer(200, b"1")  # JSON too: React Native parses it
_VERBOSE = Answer(200, b'{"error":null,"status":1}')
_STATUS = {Refusal.METHOD: 405, Refusal.SLOW: 408, Refusal.OVER_SHARE: 503, Refusal.OVERLOADED: 503}


class MixpanelProtocol:
    """Mixpanel: `/track`, `/engage`, `/groups`, `/import`."""

    name = "mixpanel"

    def __init__(self) -> None:
        paths = ("/track", "/engage", "/groups")
        # Its Node SDK sends a single event in the query of a GET.
        calls = [Route(method, path) for path in paths for method in ("POST", "GET")]
        self.routes: Sequence[Route] = (*calls, Route("POST", "/import"))

    def check(self, head: Head) -> None:
        """Their Content-Type lies: nothing to check."""

    def credentials(self, head: Head) -> str | None:
        """Each event names its own; that of an /import may be a secret that we do not know."""
        return None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        fallback = basic_user(head) if _is_import(head) else None
        content = content_of(head, body)
        try:
            raws = content.items(may_be_lines=_is_import(head))
        except Refused as refused:
            code = Code.INVALID_JSON
            return _dead(content, fallback, Rejection(0, code, refused.text, "", content.text))
        if len(raws) > MAX_ITEMS:
            text = f"the POST has more than {MAX_ITEMS} events"
            code = Code.EVENT_TOO_LARGE
            return _dead(content, fallback, Rejection(0, code, text, "", content.text))
        return _batches(head, _by_token(_told(head, raws), fallback), content.receipt)

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        if asks_verbose(head) or any(one.receipt == VERBOSE for one in verdicts):
            return _VERBOSE
        if not _is_import(head) or b"form" in head.headers.get(b"content-type", b""):
            return _PLAIN
        failed = [
            {"index": one.index, "insert_id": one.event_id, "field": one.code, "message": one.text}
            for verdict in verdicts
            for one in verdict.rejected
        ]
        imported = sum(one.decoded - len(one.rejected) for one in verdicts)
        told = {"code": 200, "status": "OK", "num_records_imported": imported}
        return Answer(200, _encode({**told, "failed_records": failed} if failed else told))

    def refuse(self, head: Head, refused: Refused) -> Answer:
        status = _STATUS.get(refused.refusal)
        if status is None and _is_import(head):  # final, and only a 200 ends it
            return self.reply(head, ())
        if status is None:  # whose form asks for it is not known: it must be right for all
            if refused.refusal is not Refusal.UNKNOWN_KEY:
                return _VERBOSE
            status = 200  # mobile SDKs end there, server SDKs tell the app
        return Answer(status, _encode({"error": refused.text, "status": 0}))


def _is_import(head: Head) -> bool:
    return head.path.endswith("/import")


def _told(head: Head, raws: Sequence[Raw]) -> list[Told]:
    is_profile, is_import = head.path.endswith("/engage"), _is_import(head)
    request_id = head.header(b"x-request-id")
    reader = None if is_profile else StrictReader()
    return [
        (reader and reader.told_by(index, raw))
        or told_by(index, raw, request_id, is_profile=is_profile, is_import=is_import)
        for index, raw in enumerate(raws)
    ]


def _by_token(found: Sequence[Told], fallback: str | None) -> dict[str, list[Told]]:
    """The items of each key. One that names none stands with the one before it. Raises Refused."""
    first = next((one.token for one in found if one.token), fallback)
    if first is None:
        if found:
            raise Refused(RefusalCode.MISSING_KEY, "no event has a `token`")
        return {}
    token, group = first, list[Told]()
    groups = {first: group}
    for one in found:
        own = one.token or fallback or token
        if own != token:
            token, group = own, groups.setdefault(own, [])
        group.append(one)
    return groups


def _batches(head: Head, groups: dict[str, list[Told]], receipt: str) -> list[Batch]:
    if head.path.endswith("/groups"):  # they tell about groups of users, of no device
        return [_batch(token, [], receipt, [], len(found)) for token, found in groups.items()]
    batches: list[Batch] = []
    for token, found in groups.items():
        events: list[Event | Rejection] = []
        positions: list[int] = []
        for one in found:
            for event in one.events:
                events.append(event)
                positions.append(one.index)
        batches.append(_batch(token, events, receipt, positions))
    return batches


def _batch(
    token: str | None,
    events: list[Event | Rejection],
    receipt: str,
    positions: list[int],
    ignored: int = 0,
) -> Batch:
    return Batch(
        events=events,
        sent_at=None,
        stamp=Stamp.NONE,
        context=take_context(events),
        write_key=token,
        max_id_length=MAX_FOREIGN_ID_LENGTH,
        positions=positions,
        ignored=ignored,
        receipt=receipt,
    )


def _dead(content: Content, fallback: str | None, rejection: Rejection) -> list[Batch]:
    """One rejection for the whole body, of the app that it names. Raises Refused."""
    token = content.named_token() or fallback
    if token is None:
        raise Refused(RefusalCode.INVALID_JSON, rejection.text)
    return [_batch(token, [rejection], content.receipt, [])]
