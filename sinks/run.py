"""The ClickHouse sink as a process: everything composed once, run until stopped, drained."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from sinks.brake import Brake
from sinks.buffer import CutRule
from sinks.chunk_writer import ChunkWriter
from sinks.clickhouse import sql
from sinks.clickhouse.ledger import ClickHouseLedger, check_tables
from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS, Table
from sinks.config import MB, SinkConfig
from sinks.consumer import Fetcher, Stopped
from sinks.deadletter import DeadLetterWriter
from sinks.health import health_server
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_log import KafkaLog
from sinks.metrics import Metrics
from sinks.partition import Partition, PartitionRules
from sinks.retry import delays
from sinks.sink import Misconfigured, Retryable

__all__ = ["Stopped", "run_clickhouse"]

log = logging.getLogger(__name__)

T = TypeVar("T")

TABLES = (EVENTS, DEAD_LETTERS)
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 10.0
MIN_PARTITION_BYTES = MB


async def run_clickhouse(
    config: SinkConfig, instance: str | None, stop: asyncio.Event, on_ready: Callable[[], None]
) -> None:
    """Store events until `stop` is set. Waits for Kafka and ClickHouse to be there.

    Raises Stopped when an operator must act.
    """
    metrics = Metrics()
    client = await _until(stop, lambda: _clickhouse(config), "ClickHouse")
    if client is None:
        return
    try:
        kafka = await _until(stop, lambda: _Kafka.start(config, instance), "Kafka")
        if kafka is None:
            return
        try:
            await _consume(config, kafka, client, metrics, stop, on_ready)
        finally:
            await kafka.close()
    finally:
        await client.close()


async def _until(stop: asyncio.Event, attempt: Callable[[], Awaitable[T]], what: str) -> T | None:
    """Try until it works; None when told to stop meanwhile. Raises Stopped."""
    while not stop.is_set():
        try:
            return await attempt()
        except Misconfigured as error:
            raise Stopped(str(error)) from None
        except (sql.Unreachable, Retryable, KafkaError, OSError, TimeoutError) as error:
            log.warning("%s is not there yet: %s", what, error or type(error).__name__)
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return None


async def _clickhouse(config: SinkConfig) -> sql.AsyncClient:
    server = sql.Server(
        url=config.clickhouse_url,
        user=config.clickhouse_user,
        password=config.clickhouse_password,
        timeout_seconds=config.insert_timeout_seconds,
    )
    client = await sql.connect(server)
    try:
        await check_tables(client, TABLES)
    except BaseException:
        await client.close()
        raise
    return client


class _Kafka:
    """The clients of one sink process: consumer, admin, and the cluster's id."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        admin: AIOKafkaAdminClient,
        cluster: str,
    ) -> None:
        self.consumer = consumer
        self.admin = admin
        self.cluster = cluster

    @classmethod
    async def start(cls, config: SinkConfig, instance: str | None) -> _Kafka:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=config.kafka_bootstrap,
            request_timeout_ms=config.kafka_request_timeout_ms,
        )
        consumer = _consumer(config, instance)
        try:
            async with asyncio.timeout(config.kafka_request_timeout_ms / 1000):
                await admin.start()
                described = await admin.describe_cluster()
                await consumer.start()
        except BaseException:
            await _close(consumer, admin)
            raise
        return cls(consumer, admin, str(described["cluster_id"]))

    async def close(self) -> None:
        await _close(self.consumer, self.admin)


async def _close(consumer: AIOKafkaConsumer[bytes, bytes], admin: AIOKafkaAdminClient) -> None:
    for stop in (consumer.stop, admin.close):
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("a Kafka client did not close: %s", type(error).__name__)


def _consumer(config: SinkConfig, instance: str | None) -> AIOKafkaConsumer[bytes, bytes]:
    return AIOKafkaConsumer(
        bootstrap_servers=config.kafka_bootstrap,
        group_id=config.group,
        group_instance_id=instance,
        client_id="telemetry-sink",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=config.session_timeout_ms,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
        rebalance_timeout_ms=config.rebalance_timeout_ms,
        max_poll_interval_ms=24 * 3600 * 1000,  # the stall watch decides, not the time of a poll
        request_timeout_ms=config.kafka_request_timeout_ms + config.rebalance_timeout_ms,
        fetch_max_bytes=32 * MB,
        max_partition_fetch_bytes=4 * MB,
        fetch_min_bytes=1,
        fetch_max_wait_ms=250,
    )


async def _consume(
    config: SinkConfig,
    kafka: _Kafka,
    client: sql.AsyncClient,
    metrics: Metrics,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    offsets = GroupOffsets(kafka.consumer, kafka.admin, config.group)
    letters = DeadLetterWriter(config.kafka_bootstrap, _waits())
    settings = await known_settings(client)
    make = _maker(config, kafka, client, settings, offsets, letters, metrics)
    fetcher = Fetcher(config, kafka.consumer, offsets, make, metrics, on_ready)
    health = health_server(
        config.metrics_port, metrics, lambda: fetcher.last_tick, lambda: fetcher.is_ready
    )
    serving = asyncio.create_task(health.serve()) if config.metrics_port else None
    kafka.consumer.subscribe([table.topic for table in TABLES], listener=fetcher)
    try:
        await fetcher.run(stop)
        log.info("drained")
    finally:
        await letters.close()
        if serving is not None:
            health.should_exit = True
            await serving


def _maker(
    config: SinkConfig,
    kafka: _Kafka,
    client: sql.AsyncClient,
    settings: dict[str, str],
    offsets: GroupOffsets,
    letters: DeadLetterWriter,
    metrics: Metrics,
) -> Callable[[TopicPartition, Pin, int], Partition]:
    """How a partition that is assigned to us comes to life."""
    tables: dict[str, Table] = {table.topic: table for table in TABLES}
    kafka_log = KafkaLog(
        kafka.consumer, config.kafka_bootstrap, config.kafka_request_timeout_ms / 1000
    )

    def make(name: TopicPartition, pin: Pin, assigned: int) -> Partition:
        table = tables[name.topic]
        writer = ChunkWriter(
            table,
            ClickHouseSink(client, table, settings),
            letters,
            Brake(config.brake_dead_letters, config.brake_percent),
            metrics,
            _waits(),
        )
        return Partition(
            name,
            pin,
            kafka.cluster,
            offsets,
            ClickHouseLedger(client, table, kafka.cluster),
            kafka_log,
            writer,
            _rules(config, assigned),
            metrics,
            time.monotonic,
        )

    return make


def _rules(config: SinkConfig, assigned: int) -> PartitionRules:
    """Every insert has a fixed cost: with many partitions each of them waits a little longer."""
    age = config.chunk_age_seconds or max(1.0, assigned / 5)
    return PartitionRules(
        cut=CutRule(config.chunk_rows, config.chunk_bytes, age),
        window_offsets=config.dedup_window_offsets,
        buffer_bytes=max(MIN_PARTITION_BYTES, config.buffer_bytes // max(1, assigned)),
        token_seconds=config.token_minutes * 60.0,
    )


def _waits() -> Iterator[float]:
    return delays(random.random() for _ in itertools.repeat(None))  # noqa: S311
