"""One POST from its head to its answer: read, decode, prepare, keep, reply.

200 leaves only after every accepted event is kept. Whatever else happens is a refusal that the
protocol words; an error of our own is one too, so that no SDK drops what it could send again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

from gateway.config import GatewayConfig
from gateway.contract.event import EVENT_TYPES, Batch
from gateway.contract.record import Record
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code, Kept, Verdicts
from gateway.edge.admission import Admission, AdmissionLimits, Place, Shed, retry_after_seconds
from gateway.edge.body import BodyLimits, Disconnected, Receive, declared_bytes, read
from gateway.edge.callers import CallerLimits, Callers
from gateway.edge.keys import KeyRing
from gateway.metrics import Metrics
from gateway.prepare.batch import Prepared, prepare
from gateway.prepare.context import Origin, iso
from gateway.protocols.protocol import Answer, Head, Protocol
from gateway.publish.publisher import Outcome, Publisher
from gateway.rejects import RejectRate, dead_records

log = logging.getLogger(__name__)

OUTCOMES = ("accepted", "duplicate", "rejected", "refused")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Post(Struct, frozen=True, gc=False):
    """A POST as its head tells it."""

    protocol: Protocol
    head: Head
    request_id: str
    received_ms: int
    key: str | None


class Ingest:
    """Answers POSTs with events. One per process; holds no state of a request."""

    def __init__(
        self,
        config: GatewayConfig,
        publisher: Publisher,
        keys: KeyRing,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._publisher = publisher
        self._keys = keys
        self._metrics = metrics
        self._now_ms = now_ms
        self.admission = Admission(
            AdmissionLimits(
                requests=config.max_inflight_requests,
                bytes=config.max_inflight_bytes,
                key_percent=config.max_inflight_key_percent,
            )
        )
        self._callers = Callers(
            CallerLimits(
                address_requests_per_second=config.address_requests_per_second,
                device_requests_per_second=config.device_requests_per_second,
                unknown_keys_per_minute=config.unknown_keys_per_minute,
                trusted_proxies=config.trusted_proxies,
            )
        )
        self._body_limits = BodyLimits(
            max_bytes=config.max_body_bytes,
            timeout_seconds=config.body_timeout_seconds,
            bytes_per_second=config.min_body_bytes_per_second,
        )
        # Looked up once: a label costs more than counting, and one that is 0 can be alarmed on.
        self._refusals = {one: metrics.refusals.labels(one) for one in RefusalCode}
        self._rejections = {one: metrics.rejections.labels(one) for one in Code}
        self._types = {one: metrics.accepted_types.labels(one) for one in sorted(EVENT_TYPES)}
        self._outcomes = {one: metrics.events.labels(one) for one in OUTCOMES}
        self._reject_rate = RejectRate(config.dead_letters_per_second)

    async def answer(
        self, protocol: Protocol, head: Head, request_id: str, receive: Receive
    ) -> tuple[Answer, int | None]:
        """The answer, and the seconds of its Retry-After if it has one. Raises Disconnected."""
        try:
            return await self._take(protocol, head, request_id, receive), None
        except Disconnected:
            self._metrics.disconnects.inc()
            raise
        except Refused as refused:
            return self._refuse(protocol, head, refused)
        except Exception:
            log.exception("internal error, request %s", request_id)
            self._metrics.bugs.inc()
            bug = Refused(RefusalCode.INTERNAL_ERROR, "try again later")
            return self._refuse(protocol, head, bug)

    def _refuse(
        self, protocol: Protocol, head: Head, refused: Refused
    ) -> tuple[Answer, int | None]:
        self._refusals[refused.code].inc()
        wait = None
        if refused.refusal in (Refusal.OVERLOADED, Refusal.OVER_SHARE):
            pressure = refused.pressure if isinstance(refused, Shed) else self.admission.pressure
            wait = retry_after_seconds(pressure, random.random())  # noqa: S311
        return protocol.refuse(head, refused), wait

    async def _take(
        self, protocol: Protocol, head: Head, request_id: str, receive: Receive
    ) -> Answer:
        self.admission.check()  # a full gateway looks at nothing
        received_ms = self._now_ms()
        self._callers.check_address(head, received_ms / 1000)
        protocol.check(head)
        key = protocol.credentials(head)
        if key is not None:
            self._app_of(key, head)  # an unknown key costs no body
        post = _Post(protocol, head, request_id, received_ms, key)
        place = self.admission.enter(key, declared_bytes(head))
        try:
            # No name holds the body or what was decoded from it: while its records wait for Kafka,
            # a POST keeps them alone in memory.
            prepared, records = self._prepare(
                post, place, await read(head, receive, self._body_limits, place.arrived)
            )
            kept = await self._keep(records, prepared)
        finally:
            place.leave()
        server_time = iso(EPOCH + timedelta(milliseconds=self._now_ms()))
        return protocol.reply(head, [_verdicts(one, kept, server_time) for one in prepared])

    def _prepare(
        self, post: _Post, place: Place, body: bytes
    ) -> tuple[list[Prepared], list[Record]]:
        """What becomes of the body's events, and the records to keep. Raises Refused."""
        protocol, head = post.protocol, post.head
        batches = protocol.decode(head, body)
        apps = self._admit(batches, post, place)
        received_at = EPOCH + timedelta(milliseconds=post.received_ms)
        origins = [
            Origin(
                app_id=app_id,
                protocol=protocol.name,
                request_id=post.request_id,
                received_at=received_at,
                country=self._country(head),
                is_retry=protocol.is_retry(head),
            )
            for app_id in apps
        ]
        prepared = [prepare(batch, origin) for batch, origin in zip(batches, origins, strict=True)]
        records = self._records(batches, origins, prepared)
        place.resize(sum(len(one.value) for one in records))
        return [_without_originals(one) for one in prepared], records

    def _admit(self, batches: Sequence[Batch], post: _Post, place: Place) -> list[str]:
        """The app of each batch; what only the body tells is checked here. Raises Refused."""
        apps: list[str] = []
        try:
            for batch in batches:
                key = _agreed(post.key, batch.write_key)
                apps.append(self._app_of(key, post.head))
                if key is not None and key != post.key:
                    place.claim(key)
            self._callers.check_devices(batches, self._now_ms() / 1000)
        except Shed:
            self._outcomes["refused"].inc(sum(len(one.events) for one in batches))
            raise
        return apps

    def _app_of(self, key: str | None, head: Head) -> str:
        if key is None:
            text = "no write key: send it as `Authorization: Bearer KEY`"
            raise Refused(RefusalCode.MISSING_KEY, text)
        app = self._keys.app_of(key)
        if app is None:
            self._callers.guessed_wrong(head, self._now_ms() / 1000)
            raise Refused(RefusalCode.UNKNOWN_KEY, "this write key is not known")
        return app

    def _country(self, head: Head) -> str:
        name = self._config.country_header
        return head.header(name.lower().encode())[:8] if name else ""

    def _records(
        self, batches: Sequence[Batch], origins: Sequence[Origin], prepared: Sequence[Prepared]
    ) -> list[Record]:
        """Accepted events, and the rejected ones that their app's rate lets through."""
        records: list[Record] = []
        for batch, origin, one in zip(batches, origins, prepared, strict=True):
            records += one.records
            if not one.rejected:
                continue
            now = self._now_ms() / 1000
            granted = self._reject_rate.take(origin.app_id, len(one.rejected), now)
            records += dead_records(one.rejected[:granted], batch, origin)
            self._metrics.dead_letters.labels("kept").inc(granted)
            self._metrics.dead_letters.labels("over_rate").inc(len(one.rejected) - granted)
        return records

    async def _keep(self, records: list[Record], prepared: Sequence[Prepared]) -> Kept:
        outcome = Outcome(Kept.KAFKA)
        if records:
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._publisher.submit(records, lambda one: _set(future, one))
            outcome = await future
        for one in prepared:
            self._count(one, outcome)
        if outcome.kept is None:
            raise Refused(RefusalCode.NOT_KEPT, f"not known to be kept: {outcome.reason}")
        return outcome.kept

    def _count(self, prepared: Prepared, outcome: Outcome) -> None:
        accepted = len(prepared.records)
        if outcome.kept is None:
            decoded = accepted + len(prepared.rejected) + len(prepared.duplicates)
            self._outcomes["refused"].inc(decoded)
            return
        self._outcomes["accepted"].inc(accepted)
        if prepared.duplicates:
            self._outcomes["duplicate"].inc(len(prepared.duplicates))
        if prepared.rejected:
            self._outcomes["rejected"].inc(len(prepared.rejected))
        for event_type, count in Counter(prepared.event_types).items():
            self._types[event_type].inc(count)
        for rejection in prepared.rejected:
            self._rejections[rejection.code].inc()


def _agreed(head_key: str | None, body_key: str | None) -> str | None:
    """The one key of a batch. Two that differ are a mistake nobody should guess about."""
    if head_key and body_key and head_key != body_key:
        text = "the key in the head and the key in the body differ"
        raise Refused(RefusalCode.KEYS_DIFFER, text)
    return head_key or body_key


def _set(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # the client's connection may be gone, and its task cancelled
        future.set_result(outcome)


def _without_originals(prepared: Prepared) -> Prepared:
    """Dead letters are made: what a phone is told needs no original."""
    if not prepared.rejected:
        return prepared
    told = [structs.replace(one, original=b"") for one in prepared.rejected]
    return structs.replace(prepared, rejected=told)


def _verdicts(prepared: Prepared, kept: Kept, server_time: str) -> Verdicts:
    decoded = len(prepared.records) + len(prepared.rejected) + len(prepared.duplicates)
    return Verdicts(
        decoded=decoded,
        rejected=prepared.rejected,
        duplicates=prepared.duplicates,
        kept=kept,
        server_time=server_time,
    )
