"""Any store on the loop that fills ClickHouse: the events of `app-events` in blocks, each event
once, over kills, rebalances and outages of the store.

The store brings its own ledger: what it holds tells where the log was, should Kafka forget.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from aiokafka import TopicPartition

from gateway.contract.topics import APP_EVENTS
from sinks.brake import Brake
from sinks.buffer import CutRule, Memory
from sinks.chunk_writer import ChunkWriter
from sinks.config import SinkConfig
from sinks.consumer import Fetcher, FetchRules
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_clients import KafkaClients, reach
from sinks.kafka_log import KafkaLog
from sinks.metrics import Metrics
from sinks.partition import Partition, Parts
from sinks.pause import Gate, Pause
from sinks.recovery import Recovery
from sinks.retry import Patience
from sinks.rows import read_event
from sinks.sink import Bad, Ledger, Sink

log = logging.getLogger(__name__)

CHUNKS_AT_WORK = 2
LEAST_AGE_SECONDS = 1.0


class Store(Sink, Ledger, Protocol):
    """Takes blocks, and remembers for good which chunks it has: one with the same start is not
    written twice."""


async def run_store(
    config: SinkConfig,
    instance: str | None,
    make_store: Callable[[str], Store],
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    """Hand events to the store of this Kafka cluster until `stop` is set, as the group of `config`.

    Raises KafkaError when Kafka is not there at the start, Stopped when an operator must act.
    """
    kafka = await KafkaClients.start(config, instance)
    try:
        offsets = GroupOffsets(kafka.consumer, kafka.admin, config.group)
        work = _Work(config, kafka, offsets, make_store(kafka.cluster))
        rules = FetchRules(config.drain_seconds, config.stall_seconds, instance)
        fetcher = Fetcher(rules, kafka.consumer, offsets, work.make, work.metrics, on_ready)
        kafka.consumer.subscribe([APP_EVENTS.name], listener=fetcher)
        await fetcher.run(stop)
    finally:
        await kafka.close()


class _Told:
    """Records that can never be rows are counted and told here; the ClickHouse sink keeps them in
    `app-events-dead`, once for all readers."""

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        for one in bad:
            log.warning("%s-%d at %d: %s", topic, partition, one.record.offset, one.code)


class _NoPauses:
    """A replay into ClickHouse pauses its own sink alone."""

    async def current(self) -> Pause | None:
        return None

    async def end(self, pause_id: str) -> None:
        """There is none."""


class _Work:
    """How the partitions that are assigned to us come to life."""

    def __init__(
        self, config: SinkConfig, kafka: KafkaClients, offsets: GroupOffsets, store: Store
    ) -> None:
        self.metrics = Metrics()
        self._config = config
        self._cluster = kafka.cluster
        self._offsets = offsets
        self._store = store
        self._memory = Memory(config.buffer_bytes)
        self._at_work = asyncio.Semaphore(CHUNKS_AT_WORK)
        self._gate = Gate(_NoPauses())
        seconds = config.kafka_request_timeout_ms / 1000
        self._log = KafkaLog(kafka.consumer, kafka.admin, reach(config), seconds)

    def make(
        self, assigned: Collection[TopicPartition], pin: Pin
    ) -> dict[TopicPartition, Partition]:
        config = self._config
        age = config.chunk_age_seconds or LEAST_AGE_SECONDS
        cut = CutRule(config.chunk_rows, config.chunk_bytes, age)
        window = config.dedup_window_offsets
        return {name: Partition(name, pin, self._parts(), cut, window) for name in assigned}

    def _parts(self) -> Parts:
        patience = Patience(_chances())
        brake = Brake(self._config.brake_dead_letters, self._config.brake_percent)
        return Parts(
            cluster=self._cluster,
            offsets=self._offsets,
            ledger=self._store,
            kafka_log=self._log,
            recovery=Recovery(self._store, self._log, self._cluster, math.inf, self.metrics),
            writer=ChunkWriter(read_event, self._store, _Told(), brake, self.metrics, patience),
            patience=patience,
            memory=self._memory,
            pace=None,
            gate=self._gate,
            at_work=self._at_work,
            metrics=self.metrics,
            clock=time.monotonic,
        )


def _chances() -> Iterator[float]:
    while True:
        yield random.random()  # noqa: S311  # spreads retries
