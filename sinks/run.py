"""The ClickHouse sink as a process: everything composed once, run until stopped, drained."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Collection
from functools import partial

from aiokafka import TopicPartition
from msgspec import Struct

from gateway.contract.readiness import Lack
from sinks.assembly import Assembly, Storage
from sinks.buffer import Pace
from sinks.chunk_writer import ChunkTraces
from sinks.clickhouse import sql
from sinks.clickhouse.checks import check_tables
from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.pauses import ClickHousePauses
from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS, Table
from sinks.config import SinkConfig
from sinks.consumer import Fetcher, FetchRules, Stopped
from sinks.deadletter import DeadLetterWriter
from sinks.health import Condition, told
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_clients import KafkaClients, reach
from sinks.metrics import Metrics
from sinks.partition import Partition
from sinks.pause import Gate
from sinks.retry import chances, delays
from sinks.startup import until_there
from sinks.traces_of import traces_of

__all__ = ["Stopped", "run_clickhouse"]

log = logging.getLogger(__name__)

TABLES = (EVENTS, DEAD_LETTERS)
GC_THRESHOLD = 100_000  # the window of ids alone is a million objects, none of them in a circle


async def run_clickhouse(
    config: SinkConfig,
    instance: str | None,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    offsets_type: type[GroupOffsets] = GroupOffsets,
) -> None:
    """Store events until `stop` is set. Waits for Kafka and ClickHouse to be there.

    Raises Stopped when an operator must act.
    """
    gc.set_threshold(GC_THRESHOLD)
    metrics, condition = Metrics(), Condition()
    metrics.process.watch(condition.lacks)
    until = partial(until_there, stop, condition)
    async with (
        traces_of(config) as traces,
        told(config.metrics_host, config.metrics_port, metrics, condition, stop),
    ):
        clickhouse = await until(lambda: _ClickHouse.start(config), Lack.STORE, "ClickHouse")
        if clickhouse is None:
            return
        try:
            kafka = await until(lambda: KafkaClients.start(config, instance), Lack.KAFKA, "Kafka")
            if kafka is None:
                return
            try:
                offsets = offsets_type(kafka.consumer, kafka.admin, config.group)
                work = _Work(config, kafka, clickhouse, offsets, metrics, traces)
                gc.freeze()  # what is here by now stays
                await _consume(config, instance, work, stop, condition, on_ready)
            finally:
                await kafka.close()
        finally:
            await clickhouse.client.close()


class _ClickHouse(Struct, frozen=True):
    """A client of a server that has this version's tables, and the settings it knows."""

    client: sql.AsyncClient
    settings: dict[str, str]

    @classmethod
    async def start(cls, config: SinkConfig) -> _ClickHouse:
        server = sql.Server(
            url=config.clickhouse_url,
            user=config.clickhouse_user,
            password=config.clickhouse_password,
            ca_path=config.clickhouse_ca_path,
            timeout_seconds=config.insert_timeout_seconds,
        )
        client = await sql.connect(server)
        try:
            await check_tables(client, TABLES)
            return cls(client, await known_settings(client))
        except BaseException:
            await client.close()
            raise


async def _consume(
    config: SinkConfig,
    instance: str | None,
    work: _Work,
    stop: asyncio.Event,
    condition: Condition,
    on_ready: Callable[[], None],
) -> None:
    rules = FetchRules(config.drain_seconds, config.stall_seconds, instance)
    consumer = work.kafka.consumer
    fetcher = Fetcher(rules, consumer, work.offsets, work.make, work.metrics, on_ready)
    condition.follow(fetcher)
    watching = asyncio.create_task(work.gate.watch())
    allowed = asyncio.create_task(work.kafka.watch())
    for task in (watching, allowed):
        task.add_done_callback(fetcher.watch_ended)
    consumer.subscribe([table.topic for table in TABLES], listener=fetcher)
    try:
        await fetcher.run(stop)
        log.info("drained")
    finally:
        watching.cancel()
        allowed.cancel()
        await work.letters.close()


class _Work:
    """How the partitions that are assigned to us come to life."""

    def __init__(
        self,
        config: SinkConfig,
        kafka: KafkaClients,
        clickhouse: _ClickHouse,
        offsets: GroupOffsets,
        metrics: Metrics,
        traces: ChunkTraces | None,
    ) -> None:
        self.kafka = kafka
        self.offsets = offsets
        self.letters = DeadLetterWriter(reach(config), lambda: delays(chances()))
        self.gate = Gate(ClickHousePauses(clickhouse.client))
        self._config = config
        self._clickhouse = clickhouse
        pace = None if config.chunk_age_seconds else Pace()
        self.metrics = metrics
        self._assembly = Assembly(config, kafka, offsets, self.gate, pace, metrics, traces)

    def make(
        self, assigned: Collection[TopicPartition], pin: Pin
    ) -> dict[TopicPartition, Partition]:
        made: dict[TopicPartition, Partition] = {}
        for table in TABLES:
            storage = self._storage(table)
            names = [name for name in assigned if name.topic == table.topic]
            made |= {name: self._assembly.partition(name, pin, storage) for name in names}
        return made

    def _storage(self, table: Table) -> Storage:
        config, client = self._config, self._clickhouse.client
        return Storage(
            read=table.read,
            sink=ClickHouseSink(client, table, self._clickhouse.settings, _insert_seconds(config)),
            ledger=ClickHouseLedger(client, table, self.kafka.cluster),
            graveyard=self.letters,
            token_seconds=config.token_minutes * 60.0,
            window_offsets=config.dedup_window_offsets if table.drops_copies else 0,
        )


def _insert_seconds(config: SinkConfig) -> float:
    """An insert that outlived its sender's session could come after its successor's first."""
    return min(config.insert_timeout_seconds, 0.8 * config.session_timeout_ms / 1000)
