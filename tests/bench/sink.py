"""`python -m tests.bench.sink`: what a stored row costs, in the sink and in the engine.

The same records twice: once through Kafka and the sink, exactly once; once as bare inserts of the
same chunks, at the same pace, into the same tables and views of another engine, with nothing to be
exact about. An engine merges meanwhile, and is never quite at rest: hence the same pace.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from gateway.contract.record import partition_of
from gateway.contract.topics import APP_EVENTS
from infra.provision import ProvisionOptions, provision
from sinks.clickhouse.sink import known_settings
from sinks.clickhouse.sql import connect
from sinks.clickhouse.tables import EVENTS, body_of, constant_of
from sinks.sink import Row
from tests.bench.candidates import cpu_seconds
from tests.builders import make_record
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, wait_until
from tests.processes import sink

ROWS = 600_000
WARM = 60_000  # of them, before anything is counted
DEVICES = 2_000
CLUSTER = "bench"
TYPES = ("app_open", "app_close", "screen", "track", "session_start")
BUCKET = ("demo", 0)
INEXACT = {
    "deduplicate_insert": "disable",
    "insert_deduplicate": "0",
    "deduplicate_blocks_in_dependent_materialized_views": "0",
}


def records(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, each event with an id of its own."""
    for number in range(count):
        device = f"device-{number % DEVICES}"
        event_type = TYPES[number // DEVICES % len(TYPES)]
        record = make_record(
            event_id=str(uuid4()), device_id=device, event_type=event_type, sequence=number,
            session_id=str(uuid4()) if number % 20 == 0 else None,
        )  # fmt: skip
        yield device.encode(), msgspec.json.encode(record)


async def produce(bootstrap: str, given: list[tuple[bytes, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=500_000)
    await producer.start()
    try:
        for start in range(0, len(given), 20_000):
            sent = [
                await producer.send(
                    APP_EVENTS.name, value, key, partition=partition_of(key, APP_EVENTS.partitions)
                )
                for key, value in given[start : start + 20_000]
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


def stored(engine: ClickHouseUnderTest) -> int:
    return int(engine.rows("SELECT count() FROM telemetry.events")[0][0])


def through_the_sink(
    folder: Path, given: list[tuple[bytes, bytes]]
) -> tuple[float, float, list[list[int]]]:
    """CPU seconds of sink and engine for all rows but the first; the chunks they came in, each as
    its partition, start and end, and how many milliseconds after the first."""
    kafka, engine = KafkaUnderTest(folder), ClickHouseUnderTest(folder / "exact")
    kafka.start()
    engine.start()
    try:
        asyncio.run(provision(ProvisionOptions(bootstrap=kafka.bootstrap, replication_factor=1)))
        engine.migrate()
        process = sink(
            kafka.bootstrap, engine.url, engine.user, engine.password, folder / "sink.log",
            group="bench", chunk_rows=50_000, chunk_age_seconds=0,
            session_timeout_ms=30_000, heartbeat_interval_ms=3_000,
        )  # fmt: skip
        process.wait_ready()
        asyncio.run(produce(kafka.bootstrap, given[:WARM]))
        wait_until(lambda: stored(engine) == WARM, 120, "the first rows")
        before = cpu_seconds(process.pid), cpu_seconds(engine.pid)
        asyncio.run(produce(kafka.bootstrap, given[WARM:]))
        wait_until(lambda: stored(engine) == len(given), 600, "all rows")
        after = cpu_seconds(process.pid), cpu_seconds(engine.pid)
        chunks = engine.rows(
            "SELECT kafka_partition, chunk_start, chunk_end,"
            " date_diff('millisecond', min(min(inserted_at)) OVER (), min(inserted_at))"
            " FROM telemetry.events GROUP BY 1, 2, 3 ORDER BY 4, 1, 2"
        )
        process.stop()
    finally:
        kafka.stop()
        engine.stop()
    return after[0] - before[0], after[1] - before[1], [[int(v) for v in one] for one in chunks]


def bare(folder: Path, given: list[tuple[bytes, bytes]], chunks: list[list[int]]) -> float:
    """CPU seconds of the engine for the same chunks, but those of the first rows."""
    engine = ClickHouseUnderTest(folder / "bare")
    engine.start()
    try:
        engine.migrate()
        return asyncio.run(_insert_all(engine, given, chunks))
    finally:
        engine.stop()


async def _insert_all(
    engine: ClickHouseUnderTest, given: list[tuple[bytes, bytes]], chunks: list[list[int]]
) -> float:
    by_partition: dict[int, list[bytes]] = {}
    for key, value in given:
        by_partition.setdefault(partition_of(key, APP_EVENTS.partitions), []).append(value)
    client = await connect(engine.server())
    settings = {**await known_settings(client), **INEXACT, "wait_end_of_query": "1"}
    done, before, began = 0, 0.0, time.monotonic()
    for partition, start, end, due_ms in chunks:
        await asyncio.sleep(began + due_ms / 1000 - time.monotonic())
        if done >= WARM and not before:
            before = cpu_seconds(engine.pid)
        values = by_partition[partition][start:end]
        rows = [Row(start + number, value, None, BUCKET) for number, value in enumerate(values)]
        constant = constant_of(CLUSTER, APP_EVENTS.name, partition, start, end)
        body = body_of(rows, constant, {BUCKET: (0, 0)})
        await client.raw_insert(
            EVENTS.name, EVENTS.columns, body, settings=settings, fmt="JSONEachRow"
        )
        done += len(values)
    await client.close()
    return cpu_seconds(engine.pid) - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    count = parser.parse_args().rows
    given = list(records(count))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        of_sink, exact, chunks = through_the_sink(folder, given)
        inexact = bare(folder, given, chunks)
    rows = count - WARM
    table = Table("CPU µs per row", "", title=f"{rows:,} rows in {len(chunks)} chunks")
    table.add_row("sink process", f"{of_sink * 1e6 / rows:.2f}")
    table.add_row("engine, through the sink", f"{exact * 1e6 / rows:.2f}")
    table.add_row("engine, bare inserts", f"{inexact * 1e6 / rows:.2f}")
    table.add_row("ratio of the engine's", f"{exact / inexact:.2f}")
    table.add_row("sink and engine", f"{(of_sink + exact) * 1e6 / rows:.2f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
