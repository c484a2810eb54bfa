"""The publisher over aiokafka's producer: acks=all, idempotent, one batch in flight per lane.

aiokafka's idempotent producer cannot recover from a refused batch (its sequence is spent), so a
producer lives for one generation: the first failure that aiokafka does not retry ends it, its
unresolved POSTs are told to come again, and a fresh one takes over. Boots without Kafka.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from gateway.contract import topics
from gateway.contract.record import Record, partition_of
from gateway.publish.lane import Lane, Part, Post, split
from gateway.publish.publisher import Outcome, Settle

log = logging.getLogger(__name__)

BATCH_BYTES = 900_000 + 4_096  # what we put into one batch; a largest record still fits
PRODUCER_BATCH_BYTES = 1_000_000  # what aiokafka allows, below the topics' max.message.bytes
SWEEP_SECONDS = 0.1
PROBE_SECONDS = 2.0
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0  # aiokafka's stop() hangs while Kafka is away
PARTITION_CACHE_KEYS = 100_000


class KafkaOptions(Struct, frozen=True, kw_only=True):
    bootstrap: str
    partitions: int  # of app-events, as provisioned
    deadline_seconds: float  # from submit to settle
    request_timeout_ms: int = 10_000
    probe_timeout_seconds: float = 5.0


class LostGeneration(Exception):
    """This producer cannot go on; a fresh one must."""


ENDINGS = (KafkaError, OSError, TimeoutError, LostGeneration)  # of a generation, not of us


class KafkaPublisher:
    """Keeps records in Kafka. `run` is its life; `submit` may be called before and during it."""

    def __init__(self, options: KafkaOptions, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._now_ms = now_ms
        self._expected = {
            topics.APP_EVENTS.name: options.partitions,
            topics.APP_EVENTS_DEAD.name: topics.APP_EVENTS_DEAD.partitions,
        }
        self._lanes = {
            (topic, partition): Lane(topic, partition)
            for topic, count in self._expected.items()
            for partition in range(count)
        }
        self._filled = {name: asyncio.Event() for name in self._lanes}
        self._waiting: deque[Post] = deque()  # all have the same time to wait, so in its order
        self._partitions: dict[bytes, int] = {}
        self._unready: str | None = "Kafka has not been reached yet"
        self.generations = 0

    def submit(self, records: Sequence[Record], settle: Settle) -> None:
        by_lane: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            partition = self._partition_of(record)
            by_lane.setdefault((record.topic, partition), []).append(record)
        runs = [(name, run) for name, lane in by_lane.items() for run in split(lane, BATCH_BYTES)]
        deadline = asyncio.get_running_loop().time() + self._options.deadline_seconds
        post = Post(len(runs), deadline, settle)
        self._waiting.append(post)
        for name, run in runs:
            self._lanes[name].add(Part(post, run))
            self._filled[name].set()

    def unready_reason(self) -> str | None:
        return self._unready

    def waiting_posts(self) -> int:
        """POSTs that are not settled yet."""
        return sum(not post.is_settled for post in self._waiting)

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
        """Keep a producer alive until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep())
            while True:
                try:
                    await self._generation()
                except ENDINGS as error:
                    self._unready = f"Kafka: {error or type(error).__name__}"
                    log.warning("producer ended: %s", self._unready)
                await asyncio.sleep(RETRY_SECONDS)

    async def _sweep(self) -> None:
        """Settle what has waited too long. One sweep for all: a timer per POST costs more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            expired = False
            while self._waiting and (
                self._waiting[0].is_settled or self._waiting[0].deadline <= now
            ):
                post = self._waiting.popleft()
                if not post.is_settled:
                    expired = True
                    post.end(Outcome(None, "Kafka did not acknowledge in time"))
            if expired:
                for lane in self._lanes.values():
                    lane.forget_settled()

    async def _generation(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._options.bootstrap,
            client_id="telemetry-gateway",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=PRODUCER_BATCH_BYTES,
            request_timeout_ms=self._options.request_timeout_ms,
            retry_backoff_ms=100,
            metadata_max_age_ms=30_000,
        )
        self.generations += 1
        try:
            async with asyncio.timeout(self._options.request_timeout_ms / 1000):
                await producer.start()
            await self._check_topics(producer)
            self._unready = None
            log.info("producer started, generation %d", self.generations)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(producer))
                for name, lane in self._lanes.items():
                    tasks.create_task(self._run_lane(producer, lane, self._filled[name]))
        except BaseExceptionGroup as group:
            if group.split(ENDINGS)[1] is not None:
                raise  # a bug, or our own end
            raise LostGeneration(_first(group)) from None
        finally:
            await _close(producer)

    async def _check_topics(self, producer: AIOKafkaProducer) -> None:
        """A changed partition count would move devices to other partitions, out of order."""
        for topic, expected in self._expected.items():
            async with asyncio.timeout(self._options.probe_timeout_seconds):
                found = len(await producer.partitions_for(topic) or ())
            if found != expected:
                raise LostGeneration(
                    f"topic {topic} has {found} partitions, {expected} are configured; "
                    "`telemetry-infra provision` makes the topics"
                )

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Ask for metadata again and again: readiness must be true also without traffic."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if producer._sender.sender_task.done():
                raise LostGeneration("aiokafka's sender task ended")
            try:
                async with asyncio.timeout(self._options.probe_timeout_seconds):
                    answered = await producer.client.force_metadata_update()
            except TimeoutError:
                answered = False
            self._unready = None if answered else "Kafka does not answer"
            if answered:
                await self._check_topics(producer)

    async def _run_lane(
        self, producer: AIOKafkaProducer, lane: Lane, filled: asyncio.Event
    ) -> None:
        """Group commit: send at once when nothing is in flight, gather meanwhile."""
        while True:
            await filled.wait()
            filled.clear()
            while parts := lane.take(BATCH_BYTES):
                await self._send(producer, lane, parts)

    async def _send(self, producer: AIOKafkaProducer, lane: Lane, parts: list[Part]) -> None:
        try:
            batch = _batch_of(producer, parts, self._now_ms())
            await (await producer.send_batch(batch, lane.topic, partition=lane.partition))
        except BaseException:
            for part in parts:
                part.post.end(Outcome(None, "the outcome at Kafka is unknown"))
            raise
        for part in parts:
            part.post.part_acked()


def _batch_of(producer: AIOKafkaProducer, parts: list[Part], timestamp_ms: int) -> BatchBuilder:
    batch = producer.create_batch()
    for part in parts:
        for record in part.records:
            taken = batch.append(
                timestamp=timestamp_ms, key=record.key, value=record.value, headers=record.headers
            )
            if taken is None:
                raise LostGeneration("a batch outgrew its limit")
    batch.close()
    return batch


def _first(group: BaseExceptionGroup[Exception]) -> str:
    """The text of one failure out of a task group's."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("the producer did not stop in time: %s", type(error).__name__)
