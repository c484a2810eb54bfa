"""The publisher over Kafka: POSTs become parts in lanes, the sender writes them. A sweep hands to
the spool what Kafka does not take in time, and ends what nobody takes. Boots without Kafka, and
starts anew with another cluster view when one goes stale.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from gateway.contract import topics
from gateway.contract.readiness import Lack, Lacks
from gateway.contract.record import Run, partition_of
from gateway.metrics import Metrics
from gateway.publish.cluster import Cluster, ClusterError, ClusterOptions, Refused
from gateway.publish.lane import NEVER, Lane, Part, Post, split
from gateway.publish.produce import Place
from gateway.publish.publisher import IN_SPOOL, Outcome, Settle
from gateway.publish.sender import BATCH_BYTES, Sender, SenderOptions
from gateway.publish.spool.entry import encode
from gateway.publish.spool.port import Fate, SpoolAnswer, SpoolPort

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.1
PROBE_SECONDS = 2.0  # readiness must be true also without traffic
RETRY_SECONDS = 0.5
REFUSED_SECONDS = 15.0  # the longest wait before Kafka is asked again whether it lets us in
STALE_AFTER = 3  # refreshes that nobody answered: the brokers may have moved
KNOWN_KEYS = 100_000  # whose lane is kept in mind

_DEAD = (topics.APP_EVENTS_DEAD.name, topics.APP_EVENTS_DEAD.partitions)


class KafkaOptions(Struct, frozen=True, kw_only=True):
    bootstrap: str
    partitions: int  # of app-events, as provisioned
    deadline_seconds: float  # from submit to settle
    spool_after_seconds: float = NEVER  # from submit to the spool, where there is one
    request_timeout_ms: int = 10_000
    security: dict[str, Any] = {}  # aiokafka's options for TLS and SASL


def places(partitions: int) -> list[Place]:
    """Every lane of a gateway, in the order of their numbers."""
    counts = ((topics.APP_EVENTS.name, partitions), _DEAD)
    return [(topic, partition) for topic, count in counts for partition in range(count)]


class KafkaPublisher:
    """Keeps records in Kafka. `run` is its life; `submit` may be called before and during it."""

    def __init__(
        self,
        options: KafkaOptions,
        now_ms: Callable[[], int],
        metrics: Metrics,
        spool: SpoolPort | None = None,
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._now_ms = now_ms
        self._spool = spool
        self._expected = dict([(topics.APP_EVENTS.name, options.partitions), _DEAD])
        self._lanes = {
            place: Lane(*place, number) for number, place in enumerate(places(options.partitions))
        }
        self._cluster: Cluster | None = None
        self._sender = Sender(
            self._lanes.values(),
            self,
            self,
            SenderOptions(request_timeout_seconds=options.request_timeout_ms / 1000),
            now_ms,
        )
        self._waiting: deque[Post] = deque()  # all have the same time to wait, so in its order
        self._known_keys: dict[bytes, Lane] = {}  # of late
        self._unready: str | None = "Kafka has not been reached yet"

    def submit(self, runs: Sequence[Run], settle: Settle) -> None:
        parts = self._parts(runs)
        now = time.monotonic()
        options = self._options
        post = Post(
            len(parts), now + options.deadline_seconds, settle, now + options.spool_after_seconds
        )
        self._waiting.append(post)
        for lane, of_lane in parts:
            part = Part(post, of_lane)
            if self._spool is not None and (lane.spooling or self._spool.holds(lane.number)):
                self._to_spool(self._spool, lane, part, is_trip=False)
            else:
                self._to_kafka(lane, part)

    def send(self, runs: Sequence[Run], settle: Settle) -> None:
        """Like `submit`, but to Kafka only, however long it takes: for what lies in the spool."""
        parts = self._parts(runs)
        post = Post(len(parts), NEVER, settle)
        for lane, of_lane in parts:
            self._to_kafka(lane, Part(post, of_lane))

    def _parts(self, runs: Sequence[Run]) -> list[tuple[Lane, Sequence[Run]]]:
        """Records by lane, each part of them few enough for one batch."""
        if len(runs) == 1:
            lane = self._lane_of(runs[0])
            return [(lane, part) for part in split(runs, BATCH_BYTES)]
        by_lane: dict[Lane, list[Run]] = {}
        for run in runs:
            by_lane.setdefault(self._lane_of(run), []).append(run)
        return [(lane, part) for lane, own in by_lane.items() for part in split(own, BATCH_BYTES)]

    def _lane_of(self, run: Run) -> Lane:
        if run.topic != topics.APP_EVENTS.name:
            return self._lanes[run.topic, partition_of(run.key, self._expected[run.topic])]
        lane = self._known_keys.get(run.key)
        if lane is None:
            if len(self._known_keys) >= KNOWN_KEYS:
                self._known_keys.clear()
            partition = partition_of(run.key, self._expected[run.topic])
            lane = self._known_keys[run.key] = self._lanes[run.topic, partition]
        return lane

    def _to_kafka(self, lane: Lane, part: Part) -> None:
        lane.add(part)
        self._sender.kick(lane)

    def _to_spool(self, spool: SpoolPort, lane: Lane, part: Part, *, is_trip: bool) -> None:
        """While a part is on its way, the lane's next ones follow it: their order stays."""

        def done(answer: SpoolAnswer) -> None:
            lane.spooling -= 1
            if answer.fate is Fate.STORED:
                part.keep(IN_SPOOL)
            elif answer.fate is Fate.DIRECT:
                part.is_spooling = False
                self._to_kafka(lane, part)
            else:
                part.post.end(Outcome(None, answer.reason))

        lane.spooling += 1
        part.is_spooling = True
        spool.append(lane.number, encode(part.runs, self._now_ms()), is_trip, done)

    def lacks(self) -> Lacks:
        if self._unready is None:
            return {}
        if self._spool is None:
            return {Lack.KAFKA: self._unready}
        reason = self._spool.unready_reason()
        return {} if reason is None else {Lack.KAFKA: self._unready, Lack.SPOOL: reason}

    async def run(self) -> None:
        """Keep records until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep())
                wait = RETRY_SECONDS
                while True:
                    try:
                        await self._use_a_cluster()
                    except Refused as error:
                        self._unready = str(error)
                        wait = min(wait * 2, REFUSED_SECONDS)
                        self.failed("refused")
                        log.error("Kafka refuses us, again in %g s: %s", wait, error)  # noqa: TRY400
                    except ClusterError as error:
                        self._unready = str(error)
                        wait = RETRY_SECONDS
                        log.warning("%s", error)
                    await asyncio.sleep(wait)
        finally:
            await self._sender.close()

    async def _sweep(self) -> None:
        """Settle what has waited too long. One sweep for all: a timer per POST costs more."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            self._sender.tick(now)
            self._spool_overdue(now)
            if self._end_overdue(now):
                for lane in self._lanes.values():
                    lane.forget_settled()

    def _end_overdue(self, now: float) -> bool:
        """Whether a POST has waited longer than its deadline."""
        waiting = self._waiting
        has_expired = False
        while waiting:
            post = waiting[0]
            if not post.is_settled:
                if post.deadline > now:
                    break
                has_expired = True
                post.end(Outcome(None, "Kafka did not acknowledge in time"))
            waiting.popleft()
        return has_expired

    def _spool_overdue(self, now: float) -> None:
        if self._spool is None:
            return
        for lane in self._lanes.values():
            for part in lane.take_overdue(now):
                self._to_spool(self._spool, lane, part, is_trip=True)

    async def _use_a_cluster(self) -> None:
        """Open a view of the cluster and keep it fresh until it is stale.

        Raises ClusterError, of it Refused.
        """
        options = ClusterOptions(
            bootstrap=self._options.bootstrap,
            request_timeout_ms=self._options.request_timeout_ms,
            security=self._options.security,
        )
        cluster = Cluster(options, self._expected)
        try:
            await self._open(cluster)
            self._cluster = cluster
            failures = 0
            while failures < STALE_AFTER:
                try:
                    await self._tend(cluster)
                    failures = 0
                except Refused:
                    raise
                except ClusterError as error:
                    failures += 1
                    self._unready = str(error)
                    log.warning("%s", error)
                    await asyncio.sleep(RETRY_SECONDS)
            raise ClusterError("Kafka does not answer; looking for it anew")
        finally:
            self._cluster = None
            await cluster.close()

    async def _open(self, cluster: Cluster) -> None:
        """Raises ClusterError, of it Refused."""
        try:
            await cluster.open()
        except Refused:
            raise
        except ClusterError:
            if (reason := await cluster.why_refused()) is not None:
                raise Refused(reason) from None
            raise

    async def _tend(self, cluster: Cluster) -> None:
        """Give the sender what it waits for, then wait until something is wanted."""
        if self._sender.wants_producer:
            producer = await cluster.new_producer()
            self._metrics.producer_ids.inc()
            log.info("producer id %d", producer.id)
            self._sender.start(producer)
        self._unready = None
        self._sender.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                await cluster.metadata_wanted.wait()
                await asyncio.sleep(SWEEP_SECONDS)  # not more often than this
        await cluster.refresh()

    # What the sender asks of the cluster, whichever view holds now.

    def leader(self, topic: str, partition: int) -> int | None:
        return self._cluster.leader(topic, partition) if self._cluster is not None else None

    def want_metadata(self) -> None:
        if self._cluster is not None:
            self._cluster.want_metadata()

    async def dial(self, node: int, connection: Any) -> None:
        if self._cluster is None:
            raise ConnectionError("Kafka is being looked for")
        await self._cluster.dial(node, connection)

    # What the sender counts.

    def produced(self, seconds: float) -> None:
        self._metrics.produce_seconds.observe(seconds)

    def failed(self, error: str) -> None:
        self._metrics.kafka_errors.labels(error).inc()

    def restamped(self) -> None:
        self._metrics.restamped.inc()
