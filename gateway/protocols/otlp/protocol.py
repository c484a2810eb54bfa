"""OTLP's routes and keys, and a POST of log records as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import unquote_plus

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Batch, Event, Stamp
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code, Rejected, Rejection, Verdicts
from gateway.protocols.authorization import bearer
from gateway.protocols.otlp import answers, binary, text
from gateway.protocols.otlp.logs import Broken, LogRecord, ResourceLogs
from gateway.protocols.otlp.place import Place, is_too_large, place_of, scope_extras
from gateway.protocols.otlp.record import Around, event_of
from gateway.protocols.protocol import Answer, Head, Route


class OtlpProtocol:
    """OpenTelemetry: `/v1/logs`, and the path at which PostHog's SDKs send such records."""

    name = "otlp"
    routes: Sequence[Route] = (Route("POST", "/v1/logs"), Route("POST", "/i/v1/logs"))

    def check(self, head: Head) -> None:
        """A body holds no key, so none is read without one. Raises Refused."""
        if self.credentials(head) is None:
            raise Refused(
                RefusalCode.MISSING_KEY,
                "no write key: send it as `Authorization: Bearer KEY` or `X-Write-Key: KEY`",
            )

    def credentials(self, head: Head) -> str | None:
        return bearer(head) or head.header(b"x-write-key") or _token(head.query) or None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        logs = binary.read(body) if answers.is_binary(head) else text.read(body)
        return [_batch(logs)]

    def is_retry(self, head: Head) -> bool:
        return False  # no sent time, so there is nothing that it could explain

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        (verdict,) = verdicts
        return answers.response(head, verdict.rejected)

    def refuse(self, head: Head, refused: Refused) -> Answer:
        return answers.refusal(head, refused)


def _token(query: bytes) -> str:
    """`token` of the query, where PostHog's SDKs put the key."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"token":
            return unquote_plus(value.decode("latin-1"))
    return ""


def _batch(logs: list[ResourceLogs]) -> Batch:
    """All records of a POST. Those of a phone share one resource, those of a collector do not."""
    places = [place_of(one.resource) for one in logs]
    shared = places[0] if len(places) == 1 else None
    events: list[Event | Rejection] = []
    ignored = 0
    for records, around in _scopes(logs, places, is_shared=shared is not None):
        for record in records:
            event = _event(len(events), record, around)
            if event is None:
                ignored += 1
            else:
                events.append(event)
    return Batch(
        events=events,
        sent_at=None,
        stamp=Stamp.NONE,
        context=shared.context if shared else None,
        extras=shared.extras if shared else {},
        max_id_length=MAX_FOREIGN_ID_LENGTH,
        ignored=ignored,
    )


def _scopes(
    logs: list[ResourceLogs], places: list[Place], *, is_shared: bool
) -> Iterator[tuple[list[LogRecord | Broken], Around]]:
    for resource, place in zip(logs, places, strict=True):
        for scope in resource.scopes:
            extras = scope_extras(scope.scope)
            is_long = max(len(place.user_id), len(place.session_id)) > MAX_FOREIGN_ID_LENGTH
            too_large = is_too_large(place, extras)
            yield scope.records, Around(place, extras, is_shared, too_large, is_long)


def _event(index: int, record: LogRecord | Broken, around: Around) -> Event | Rejection | None:
    if type(record) is Broken:  # isinstance would ask its metaclass, which costs more
        return _rejection(index, record.code, record.text, record.original)
    try:
        return event_of(record, around)
    except Rejected as bad:
        return _rejection(index, bad.code, str(bad), bytes(record.original))


def _rejection(index: int, code: Code, text: str, original: bytes) -> Rejection:
    return Rejection(index, code, f"{text} - at `$.logRecords[{index}]`", "", original)
