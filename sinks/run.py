"""The ClickHouse sink as a process: everything composed once, run until stopped, drained."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from sinks.brake import Brake
from sinks.buffer import CutRule, Memory, Pace
from sinks.chunk_writer import ChunkWriter
from sinks.clickhouse import sql
from sinks.clickhouse.checks import check_tables
from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.pauses import ClickHousePauses
from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS, Table
from sinks.config import SinkConfig
from sinks.consumer import Fetcher, FetchRules, Stopped
from sinks.deadletter import DeadLetterWriter
from sinks.health import health_server
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_clients import KafkaClients, reach
from sinks.kafka_log import KafkaLog
from sinks.metrics import Metrics
from sinks.partition import Partition, Parts
from sinks.pause import Gate
from sinks.recovery import Recovery
from sinks.retry import Patience, delays
from sinks.sink import Misconfigured, Retryable

__all__ = ["Stopped", "run_clickhouse"]

log = logging.getLogger(__name__)

T = TypeVar("T")

TABLES = (EVENTS, DEAD_LETTERS)
RETRY_SECONDS = 1.0
CHUNKS_AT_WORK = 2  # a chunk at work takes several times its bytes; more at once are no faster
LEAST_AGE_SECONDS = 1.0
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
    clickhouse = await _until(stop, lambda: _ClickHouse.start(config), "ClickHouse")
    if clickhouse is None:
        return
    try:
        kafka = await _until(stop, lambda: KafkaClients.start(config, instance), "Kafka")
        if kafka is None:
            return
        try:
            offsets = offsets_type(kafka.consumer, kafka.admin, config.group)
            work = _Work(config, kafka, clickhouse, offsets)
            await _consume(config, instance, work, stop, on_ready)
        finally:
            await kafka.close()
    finally:
        await clickhouse.client.close()


async def _until(stop: asyncio.Event, attempt: Callable[[], Awaitable[T]], what: str) -> T | None:
    """Try until it works; None when told to stop meanwhile. Raises Stopped."""
    while not stop.is_set():
        try:
            return await attempt()
        except Misconfigured as error:
            raise Stopped(str(error)) from None
        except (sql.Unreachable, Retryable, KafkaError, OSError, TimeoutError) as error:
            log.warning("%s is not there yet: %s", what, str(error) or type(error).__name__)
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return None


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
    on_ready: Callable[[], None],
) -> None:
    rules = FetchRules(config.drain_seconds, config.stall_seconds, instance)
    consumer, metrics = work.kafka.consumer, work.metrics
    fetcher = Fetcher(rules, consumer, work.offsets, work.make, metrics, on_ready)
    health = health_server(
        config.metrics_port, metrics, lambda: fetcher.last_tick, lambda: fetcher.is_ready
    )
    serving = asyncio.create_task(health.serve()) if config.metrics_port else None
    watching = asyncio.create_task(work.gate.watch())
    watching.add_done_callback(fetcher.watch_ended)
    consumer.subscribe([table.topic for table in TABLES], listener=fetcher)
    try:
        await fetcher.run(stop)
        log.info("drained")
    finally:
        watching.cancel()
        await work.letters.close()
        if serving is not None:
            health.should_exit = True
            await serving


class _Work:
    """How the partitions that are assigned to us come to life."""

    def __init__(
        self,
        config: SinkConfig,
        kafka: KafkaClients,
        clickhouse: _ClickHouse,
        offsets: GroupOffsets,
    ) -> None:
        self.kafka = kafka
        self.offsets = offsets
        self.metrics = Metrics()
        self.letters = DeadLetterWriter(reach(config), lambda: delays(_chances()))
        self._config = config
        self._clickhouse = clickhouse
        self._memory = Memory(config.buffer_bytes)
        self._pace = None if config.chunk_age_seconds else Pace()
        self._at_work = asyncio.Semaphore(CHUNKS_AT_WORK)
        self.gate = Gate(ClickHousePauses(clickhouse.client))
        seconds = config.kafka_request_timeout_ms / 1000
        self._log = KafkaLog(kafka.consumer, kafka.admin, reach(config), seconds)

    def make(
        self, assigned: Collection[TopicPartition], pin: Pin
    ) -> dict[TopicPartition, Partition]:
        made: dict[TopicPartition, Partition] = {}
        for table in TABLES:
            names = [name for name in assigned if name.topic == table.topic]
            cut = _cut(self._config)
            window = self._config.dedup_window_offsets if table.drops_copies else 0
            made |= {name: Partition(name, pin, self._parts(table), cut, window) for name in names}
        return made

    def _parts(self, table: Table) -> Parts:
        config, cluster = self._config, self.kafka.cluster
        patience = Patience(_chances())
        ledger = ClickHouseLedger(self._clickhouse.client, table, cluster)
        token_seconds = config.token_minutes * 60.0
        writer = ChunkWriter(
            table.read,
            ClickHouseSink(
                self._clickhouse.client, table, self._clickhouse.settings, _insert_seconds(config)
            ),
            self.letters,
            Brake(config.brake_dead_letters, config.brake_percent),
            self.metrics,
            patience,
        )
        return Parts(
            cluster=cluster,
            offsets=self.offsets,
            ledger=ledger,
            kafka_log=self._log,
            recovery=Recovery(ledger, self._log, cluster, token_seconds, self.metrics),
            writer=writer,
            patience=patience,
            memory=self._memory,
            pace=self._pace,
            gate=self.gate,
            at_work=self._at_work,
            metrics=self.metrics,
            clock=time.monotonic,
        )


def _cut(config: SinkConfig) -> CutRule:
    age = config.chunk_age_seconds or LEAST_AGE_SECONDS
    return CutRule(config.chunk_rows, config.chunk_bytes, age)


def _insert_seconds(config: SinkConfig) -> float:
    """An insert that outlived its sender's session could come after its successor's first."""
    return min(config.insert_timeout_seconds, 0.8 * config.session_timeout_ms / 1000)


def _chances() -> Iterator[float]:
    return (random.random() for _ in itertools.repeat(None))  # noqa: S311
