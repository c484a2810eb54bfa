"""One POST with events, from its body to its answer.

Called by whoever carries it, with what arrives; calls back once, with the answer. No task and no
future: what waits for Kafka is this object alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from gateway.contract.event import Batch
from gateway.contract.record import Record
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code, Kept, Rejection, Verdicts
from gateway.edge.admission import Place, Shed, retry_after_seconds
from gateway.edge.body import Body
from gateway.edge.inflate import encoding_of, inflate
from gateway.forgotten import without_forgotten
from gateway.ingest.services import Services
from gateway.prepare.batch import Outcomes, prepare
from gateway.prepare.context import Origin
from gateway.protocols.protocol import Answer, Head, Protocol
from gateway.protocols.times import rfc3339_of
from gateway.publish.publisher import Outcome
from gateway.rejects import dead_records

log = logging.getLogger(__name__)

BUG = "internal error, request %s"

Answered = Callable[[Answer, int | None], None]  # and the seconds of its Retry-After, if any


class Arrival(Struct, frozen=True, gc=False):
    """A POST as its head tells it."""

    protocol: Protocol
    head: Head
    request_id: str
    received_ms: int  # Unix time
    owner: Callable[[Head, bytes], Protocol] | None = None  # whose it is by its body


class Post:
    """A POST that has been let in: it holds a place until it is answered, or its client leaves."""

    __slots__ = (
        "_answered", "_arrival", "_body", "_is_whole", "_key", "_outcomes", "_place", "_receipts",
        "_services", "is_over",
    )  # fmt: skip

    def __init__(
        self, services: Services, arrival: Arrival, key: str | None, place: Place,
        answered: Answered,
    ) -> None:  # fmt: skip
        self._services = services
        self._arrival = arrival
        self._key = key
        self._place = place
        self._answered = answered
        self._body = Body(services.body_limits)
        self._is_whole = False
        self._outcomes: Sequence[Outcomes] = ()
        self._receipts: Sequence[str] = ()
        self.is_over = False  # answered, or left by its client

    @property
    def body_seconds(self) -> float:
        """How long its body may take, from the head on."""
        return self._body.seconds

    def arrived(self, chunk: bytes) -> None:
        """A part of the body is here."""
        try:
            self._place.arrived(self._body.grow(len(chunk)))
            self._body.add(chunk)
        except Refused as refused:
            self._refuse(refused)
        except Exception:
            log.exception(BUG, self._arrival.request_id)
            self._fail()

    def too_slow(self) -> None:
        """The body has had its time."""
        self._refuse(self._services.body_limits.too_slow())

    def gone(self) -> None:
        """The client has left. What is whole is kept and counted nevertheless."""
        if not self.is_over and not self._is_whole:
            self.is_over = True
            self._place.leave()
            self._services.metrics.disconnects.inc()

    def complete(self) -> None:
        """The body is whole."""
        self._is_whole = True
        try:
            records = self._prepare()
            if records:
                self._services.publisher.submit(records, self._settle)
            else:
                self._settle(Outcome(Kept.KAFKA))
        except Refused as refused:
            self._refuse(refused)
        except RecursionError:  # a part is decoded from a deeper call than the whole was
            self._refuse(Refused(RefusalCode.TOO_DEEP, "the body is nested too deep"))
        except Exception:
            log.exception(BUG, self._arrival.request_id)
            self._fail()

    def _prepare(self) -> list[Record]:
        """The records to keep. Nothing holds the body or what was decoded from it afterwards:
        while they wait for Kafka, a POST keeps them alone in memory. Raises Refused."""
        services, head = self._services, self._arrival.head
        body = inflate(self._body.take(), encoding_of(head), services.body_limits.max_bytes)
        if self._arrival.owner is not None:
            owner = self._arrival.owner(head, body)
            self._arrival = structs.replace(self._arrival, protocol=owner, owner=None)
        arrival = self._arrival
        protocol = arrival.protocol
        received_at = datetime.fromtimestamp(arrival.received_ms / 1000, UTC)
        batches = protocol.decode(head, body)
        records: list[Record] = []
        outcomes: list[Outcomes] = []
        self._receipts = [one.receipt for one in batches]
        for batch, app_id in zip(batches, self._apps_of(batches), strict=True):
            if app_id is None:
                outcomes.append(_of_nobody(batch))
                continue
            origin = Origin(
                app_id,
                protocol.name,
                arrival.request_id,
                received_at,
                self._country(),
                protocol.is_retry(head),
            )
            if services.wishes.stops_any:
                batch = without_forgotten(batch, app_id, services.wishes)
            prepared = prepare(batch, origin)
            records += prepared.records
            services.counts.ignored(protocol.name, batch.ignored)
            told = prepared.outcomes
            if told.rejected:
                records += self._dead_records(told, batch, origin)
                told = _without_originals(told)
            outcomes.append(told)
        self._outcomes = outcomes
        self._place.resize(sum([len(one.value) for one in records]))
        return records

    def _apps_of(self, batches: Sequence[Batch]) -> list[str | None]:
        """The app of each batch, None for an unknown key beside known ones; what only the body
        tells is checked here. Raises Refused."""
        apps: list[str | None] = []
        try:
            for batch in batches:
                key = _agreed(self._key, batch.write_key)
                apps.append(self._app_of(key, is_alone=len(batches) == 1))
                if key is not None and key != self._key:
                    self._place.claim(key)
            if batches and not any(apps):
                raise Refused(RefusalCode.UNKNOWN_KEY, "none of these write keys is known")
            self._services.callers.check_devices(batches, self._services.now_ms() / 1000)
        except Shed:
            self._services.counts.refused(sum(len(one.events) for one in batches))
            raise
        return apps

    def _app_of(self, key: str | None, *, is_alone: bool) -> str | None:
        try:
            return app_of(self._services, key, self._arrival)
        except Refused as refused:
            if is_alone or refused.code is not RefusalCode.UNKNOWN_KEY:
                raise
            return None

    def _country(self) -> str:
        name = self._services.country_header
        return self._arrival.head.header(name)[:8] if name else ""

    def _dead_records(self, outcomes: Outcomes, batch: Batch, origin: Origin) -> list[Record]:
        """The rejected events that their app's rate lets through."""
        services = self._services
        rejected = [one for one in outcomes.rejected if one.code is not Code.FORGOTTEN]
        now_seconds = services.now_ms() / 1000
        granted = services.reject_rate.take(origin.app_id, len(rejected), now_seconds)
        services.metrics.dead_letters.labels("kept").inc(granted)
        services.metrics.dead_letters.labels("over_rate").inc(len(rejected) - granted)
        return dead_records(rejected[:granted], batch, origin)

    def _settle(self, outcome: Outcome) -> None:
        """How keeping the records ended. Called by the publisher, so nothing may leave it."""
        if self.is_over:
            return
        try:
            services = self._services
            if outcome.kept is None:
                services.counts.refused(sum(one.decoded for one in self._outcomes))
                text = f"not known to be kept: {outcome.reason}"
                self._refuse(Refused(RefusalCode.NOT_KEPT, text))
                return
            services.counts.kept(self._outcomes)
            now = rfc3339_of(services.now_ms())
            verdicts = [
                _verdicts(one, outcome.kept, now, receipt)
                for one, receipt in zip(self._outcomes, self._receipts, strict=True)
            ]
            arrival = self._arrival
            self._end(arrival.protocol.reply(arrival.head, verdicts), None)
        except Exception:
            log.exception(BUG, self._arrival.request_id)
            self._fail()

    def _refuse(self, refused: Refused) -> None:
        if not self.is_over:
            self._end(*refusal(self._services, self._arrival, refused))

    def _fail(self) -> None:
        """An error of our own. No SDK may drop what it could send again."""
        self._refuse(bug(self._services))

    def _end(self, answer: Answer, wait: int | None) -> None:
        self.is_over = True
        self._place.leave()
        self._answered(answer, wait)


def app_of(services: Services, key: str | None, arrival: Arrival) -> str:
    """The app that a key writes to. Raises Refused."""
    if key is None:
        text = "no write key: send it as `Authorization: Bearer KEY`"
        raise Refused(RefusalCode.MISSING_KEY, text)
    app = services.keys.app_of(key)
    if app is None:
        services.callers.guessed_wrong(arrival.head, services.now_ms() / 1000)
        raise Refused(RefusalCode.UNKNOWN_KEY, "this write key is not known")
    return app


def refusal(services: Services, arrival: Arrival, refused: Refused) -> tuple[Answer, int | None]:
    """The answer to a POST that is not taken, and the seconds of its Retry-After if it has one."""
    services.metrics.refusals.add(refused.code)
    wait = None
    if refused.refusal in (Refusal.OVERLOADED, Refusal.OVER_SHARE):
        pressure = refused.pressure if isinstance(refused, Shed) else services.admission.pressure
        wait = retry_after_seconds(pressure, random.random())  # noqa: S311
    return arrival.protocol.refuse(arrival.head, refused), wait


def bug(services: Services) -> Refused:
    """An error of our own, counted."""
    services.metrics.bugs.inc()
    return Refused(RefusalCode.INTERNAL_ERROR, "try again later")


def _agreed(head_key: str | None, body_key: str | None) -> str | None:
    """The one key of a batch. Two that differ are a mistake nobody should guess about."""
    if head_key and body_key and head_key != body_key:
        text = "the key in the head and the key in the body differ"
        raise Refused(RefusalCode.KEYS_DIFFER, text)
    return head_key or body_key


def _without_originals(outcomes: Outcomes) -> Outcomes:
    """Dead letters are made: what a phone is told needs no original."""
    told = [structs.replace(one, original=b"") for one in outcomes.rejected]
    return structs.replace(outcomes, rejected=told)


def _of_nobody(batch: Batch) -> Outcomes:
    """Nobody's events: final, and no app has a dead letter of them."""
    text = "this write key is not known"
    rejected = [
        Rejection(position, Code.UNKNOWN_KEY, text, event.event_id)
        for position, event in batch.numbered()
    ]
    return Outcomes(0, {}, rejected, [])


def _verdicts(outcomes: Outcomes, kept: Kept, server_time: str, receipt: str) -> Verdicts:
    return Verdicts(
        decoded=outcomes.decoded,
        rejected=outcomes.rejected,
        duplicates=outcomes.duplicates,
        kept=kept,
        server_time=server_time,
        receipt=receipt,
    )
