"""The publisher over Kafka: POSTs become parts in lanes, the sender writes them. A sweep hands to
the spool what Kafka does not take in time, and ends what nobody takes. Boots without Kafka, and
starts anew with another cluster view when one goes stale.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from gateway.contract import topics
from gateway.contract.record import Record, partition_of
from gateway.contract.verdict import Kept
from gateway.metrics import Metrics
from gateway.publish.cluster import Cluster, ClusterError, ClusterOptions
from gateway.publish.lane import NEVER, Lane, Part, Post, split
from gateway.publish.produce import Place
from gateway.publish.publisher import Outcome, Settle
from gateway.publish.sender import BATCH_BYTES, Sender, SenderOptions
from gateway.publish.spool.entry import encode
from gateway.publish.spool.port import Fate, SpoolAnswer, SpoolPort

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.1
PROBE_SECONDS = 2.0  # readiness must be true also without traffic
RETRY_SECONDS = 0.5
STALE_AFTER = 3  # refreshes that nobody answered: the brokers may have moved
PARTITION_CACHE_KEYS = 100_000

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
        self._partitions: dict[bytes, int] = {}
        self._unready: str | None = "Kafka has not been reached yet"

    def submit(self, records: Sequence[Record], settle: Settle) -> None:
        runs = self._runs(records)
        now = asyncio.get_running_loop().time()
        options = self._options
        post = Post(
            len(runs), now + options.deadline_seconds, settle, now + options.spool_after_seconds
        )
        self._waiting.append(post)
        for lane, run in runs:
            part = Part(post, run)
            if self._spool is not None and (lane.spooling or self._spool.holds(lane.number)):
                self._to_spool(self._spool, lane, part, is_trip=False)
            else:
                self._to_kafka(lane, part)

    def send(self, records: Sequence[Record], settle: Settle) -> None:
        """Like `submit`, but to Kafka only, however long it takes: for what lies in the spool."""
        runs = self._runs(records)
        post = Post(len(runs), NEVER, settle)
        for lane, run in runs:
            self._to_kafka(lane, Part(post, run))

    def _runs(self, records: Sequence[Record]) -> list[tuple[Lane, Sequence[Record]]]:
        """Records by lane, in runs that each fit one batch."""
        by_lane: dict[Lane, list[Record]] = {}
        key: bytes | None = None
        topic = ""
        for record in records:
            if record.key is not key or record.topic != topic:  # a POST's events mostly share both
                key, topic = record.key, record.topic
                lane = self._lanes[record.topic, self._partition_of(record)]
                of_lane = by_lane.setdefault(lane, [])
            of_lane.append(record)
        return [(lane, run) for lane, all_ in by_lane.items() for run in split(all_, BATCH_BYTES)]

    def _to_kafka(self, lane: Lane, part: Part) -> None:
        lane.add(part)
        self._sender.kick(lane)

    def _to_spool(self, spool: SpoolPort, lane: Lane, part: Part, *, is_trip: bool) -> None:
        """While a part is on its way, the lane's next ones follow it: their order stays."""

        def done(answer: SpoolAnswer) -> None:
            lane.spooling -= 1
            if answer.fate is Fate.STORED:
                part.keep(Kept.SPOOL)
            elif answer.fate is Fate.DIRECT:
                part.is_spooling = False
                self._to_kafka(lane, part)
            else:
                part.post.end(Outcome(None, answer.reason))

        lane.spooling += 1
        part.is_spooling = True
        spool.append(lane.number, encode(part.records, self._now_ms()), is_trip, done)

    def unready_reason(self) -> str | None:
        if self._unready is None or self._spool is None:
            return self._unready
        reason = self._spool.unready_reason()
        return None if reason is None else f"{self._unready}; {reason}"

    def _partition_of(self, record: Record) -> int:
        count = self._expected[record.topic]
        if record.topic != topics.APP_EVENTS.name:
            return partition_of(record.key, count)
        partition = self._partitions.get(record.key)
        if partition is None:
            if len(self._partitions) >= PARTITION_CACHE_KEYS:
                self._partitions.clear()
            partition = self._partitions[record.key] = partition_of(record.key, count)
        return partition

    async def run(self) -> None:
        """Keep records until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep())
                while True:
                    try:
                        await self._use_a_cluster()
                    except ClusterError as error:
                        self._unready = str(error)
                        log.warning("%s", error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._sender.close()

    async def _sweep(self) -> None:
        """Settle what has waited too long. One sweep for all: a timer per POST costs more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
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
        """Open a view of the cluster and keep it fresh until it is stale. Raises ClusterError."""
        options = ClusterOptions(
            bootstrap=self._options.bootstrap,
            request_timeout_ms=self._options.request_timeout_ms,
            security=self._options.security,
        )
        cluster = Cluster(options, self._expected)
        try:
            await cluster.open()
            self._cluster = cluster
            failures = 0
            while failures < STALE_AFTER:
                try:
                    await self._tend(cluster)
                    failures = 0
                except ClusterError as error:
                    failures += 1
                    self._unready = str(error)
                    log.warning("%s", error)
                    await asyncio.sleep(RETRY_SECONDS)
            raise ClusterError("Kafka does not answer; looking for it anew")
        finally:
            self._cluster = None
            await cluster.close()

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
