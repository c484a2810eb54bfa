"""One POST from its head to its answer: read, decode, prepare, keep, reply.

200 leaves only after every accepted event is kept. Whatever else happens is a refusal that the
protocol words; an error of our own is one too, so that no SDK drops what it could send again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from gateway.config import GatewayConfig
from gateway.contract.event import Batch
from gateway.contract.record import Record
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Kept, Verdicts
from gateway.edge.admission import Admission, retry_after_seconds
from gateway.edge.body import BodyLimits, Disconnected, Receive, declared_bytes, read
from gateway.edge.keys import KeyRing
from gateway.metrics import Metrics
from gateway.prepare.batch import Prepared, prepare
from gateway.prepare.context import Origin, iso
from gateway.protocols.protocol import Answer, Head, Protocol
from gateway.publish.publisher import Outcome, Publisher
from gateway.rejects import RejectRate, dead_records

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        self.admission = Admission(config.max_inflight_requests, config.max_inflight_bytes)
        self._body_limits = BodyLimits(
            max_bytes=config.max_body_bytes,
            timeout_seconds=config.body_timeout_seconds,
            bytes_per_second=config.min_body_bytes_per_second,
        )
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
        self._metrics.refusals.labels(refused.code).inc()
        wait = None
        if refused.refusal is Refusal.OVERLOADED:
            wait = retry_after_seconds(self.admission.pressure, random.random())  # noqa: S311
        return protocol.refuse(head, refused), wait

    async def _take(
        self, protocol: Protocol, head: Head, request_id: str, receive: Receive
    ) -> Answer:
        received_at = EPOCH + timedelta(milliseconds=self._now_ms())
        protocol.check(head)
        key = protocol.credentials(head)
        if key is not None:
            self._app_of(key)  # an unknown key costs no body
        counted = declared_bytes(head)
        self.admission.enter(counted)

        def arrived(size: int) -> None:
            nonlocal counted
            if size > counted:
                self.admission.grow(size - counted)
                counted = size

        try:
            body = await read(head, receive, self._body_limits, arrived)
            batches = protocol.decode(head, body)
            origins = [
                Origin(
                    app_id=self._app_of(_agreed(key, batch.write_key)),
                    protocol=protocol.name,
                    request_id=request_id,
                    received_at=received_at,
                    country=self._country(head),
                    is_retry=protocol.is_retry(head),
                )
                for batch in batches
            ]
            prepared = [
                prepare(batch, origin) for batch, origin in zip(batches, origins, strict=True)
            ]
            records = self._records(batches, origins, prepared)
            size = sum(len(one.value) for one in records)
            self.admission.resize(counted, size)
            counted = size
            kept = await self._keep(records, prepared)
        finally:
            self.admission.leave(counted)
        server_time = iso(EPOCH + timedelta(milliseconds=self._now_ms()))
        verdicts = [_verdicts(one, kept, server_time) for one in prepared]
        return protocol.reply(head, batches, verdicts)

    def _app_of(self, key: str | None) -> str:
        if key is None:
            text = "no write key: send it as `Authorization: Bearer KEY`"
            raise Refused(RefusalCode.MISSING_KEY, text)
        app = self._keys.app_of(key)
        if app is None:
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
        events = self._metrics.events
        accepted = len(prepared.records)
        if outcome.kept is None:
            decoded = accepted + len(prepared.rejected) + len(prepared.duplicates)
            events.labels("refused").inc(decoded)
            return
        events.labels("accepted").inc(accepted)
        events.labels("duplicate").inc(len(prepared.duplicates))
        events.labels("rejected").inc(len(prepared.rejected))
        for event_type in prepared.event_types:
            self._metrics.accepted_types.labels(event_type).inc()
        for rejection in prepared.rejected:
            self._metrics.rejections.labels(rejection.code).inc()


def _agreed(head_key: str | None, body_key: str | None) -> str | None:
    """The one key of a batch. Two that differ are a mistake nobody should guess about."""
    if head_key and body_key and head_key != body_key:
        text = "the key in the head and the key in the body differ"
        raise Refused(RefusalCode.KEYS_DIFFER, text)
    return head_key or body_key


def _set(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # the client's connection may be gone, and its task cancelled
        future.set_result(outcome)


def _verdicts(prepared: Prepared, kept: Kept, server_time: str) -> Verdicts:
    decoded = len(prepared.records) + len(prepared.rejected) + len(prepared.duplicates)
    return Verdicts(
        decoded=decoded,
        rejected=prepared.rejected,
        duplicates=prepared.duplicates,
        kept=kept,
        server_time=server_time,
    )
