"""`python -m tests.bench.sizes`: the bytes that an event has on the wire, in Kafka's log, and in
each table of ClickHouse; and what a topic's codec costs brokers and consumers."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from functools import partial
from itertools import cycle
from pathlib import Path
from time import process_time
from timeit import repeat

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from rich.console import Console
from rich.table import Table

from gateway.contract.topics import APP_EVENTS
from gateway.runtime import now_ms
from infra.provision import ProvisionOptions, provision
from loadtest.devices import Post, body_of, fleet
from loadtest.seed import SeedPlan, run_seed
from sinks.clickhouse.sql import connect
from tests.bench.candidates import Variant, cpu_seconds, start_gateway
from tests.bench.generator import Load, request_of
from tests.bench.sink import records
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest
from tests.topic_log import keep_as, on_disk

PHONES = 1_000
WARM, ROUNDS = 8, 5  # times that all is posted: before the broker's CPU is counted, and then
CODECS = ("producer", "lz4", "zstd")  # producer: as the gateway sends it, which is uncompressed
SEEDED = SeedPlan(
    app="demo", events=2_000_000, devices=60_000, days=30, last=date(2026, 11, 1), seed=7
)
TABLES = ("events", "sessions", "device_days", "hourly", "crash_groups", "chunks")
# What hourly keeps of the devices of one cell:
CELL = "SELECT length(toString(uniqCombined64State(14)(toString(number)))) FROM numbers(%d)"


def posts_of(phones: int) -> list[Post]:
    return [post for posts in fleet(7, phones, now_ms()) for post in posts]


def bodies_of(posts: Sequence[Post]) -> list[bytes]:
    now = now_ms()
    return [json.dumps(body_of(post, now), separators=(",", ":")).encode() for post in posts]


def in_kafka(folder: Path, codec: str, bodies: Sequence[bytes], connections: int) -> list[str]:
    """A row of the table: everything posted once, by so many connections at a time."""
    with ExitStack() as stack:
        kafka = KafkaUnderTest(folder)
        kafka.start()
        stack.callback(kafka.stop)
        asyncio.run(provision(ProvisionOptions(bootstrap=kafka.bootstrap, replication_factor=1)))
        asyncio.run(keep_as(kafka.bootstrap, APP_EVENTS.name, codec))
        gateway = start_gateway(Variant("gateway"), kafka.bootstrap, folder)
        stack.callback(gateway.stop)
        requests = cycle([request_of(body) for body in bodies])
        load = Load(gateway.port, [b""] * connections, b" 200 ", requests)
        stack.callback(load.close)
        for _ in range(WARM):
            load.run(len(bodies))
        before = cpu_seconds(kafka.pid)
        before_that = on_disk(folder, APP_EVENTS.name).records
        for _ in range(ROUNDS):
            load.run(len(bodies))
        used = cpu_seconds(kafka.pid) - before
        log = on_disk(folder, APP_EVENTS.name)
    cost = used * 1e6 / (log.records - before_that)
    figures = log.size / log.records, log.records / log.batches, cost
    return [f"{one:.1f}" for one in figures] + [f"{log.records:,}"]


def reading() -> Table:
    """What a consumer pays to have a batch of a POST's records as bytes, in this process."""
    table = Table("batch kept as", "CPU µs per event", title="to read batches of 8 records")
    values = [value for _, value in records(8)]
    for name, codec in (("none", 0), ("lz4", 3), ("zstd", 4)):
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=codec, is_transactional=0,
            producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1_000_000,
        )  # fmt: skip
        for offset, value in enumerate(values):
            builder.append(offset, timestamp=0, key=b"k" * 36, value=value, headers=[])
        batch = bytes(builder.build())
        least = (
            min(repeat(partial(_read, batch), timer=process_time, repeat=9, number=2_000)) / 2_000
        )
        table.add_row(name, f"{least * 1e6 / len(values):.2f}")
    return table


def _read(batch: bytes) -> None:
    parsed = MemoryRecords(batch)
    while (one := parsed.next_batch()) is not None:
        assert one.validate_crc()
        for _ in one:
            pass


def on_the_wire(posts: Sequence[Post], bodies: Sequence[bytes]) -> Table:
    events = sum(len(post.events) for post in posts)
    head = len(request_of(b""))
    plain = sum(len(one) for one in bodies)
    packed = sum(len(gzip.compress(one, 6)) for one in bodies)
    table = Table(
        "", "bytes per event", title=f"on the wire: {events / len(posts):.1f} events a POST"
    )
    table.add_row("JSON", f"{(plain + head * len(posts)) / events:.1f}")
    table.add_row("gzip", f"{(packed + head * len(posts)) / events:.1f}")
    return table


def in_clickhouse(folder: Path, plan: SeedPlan) -> Table:
    engine = ClickHouseUnderTest(folder)
    engine.start()
    try:
        engine.migrate()

        async def fill() -> int:
            client = await connect(engine.server())
            try:
                return await run_seed(client, plan, Console(file=sys.stderr))
            finally:
                await client.close()

        events = asyncio.run(fill())
        table = Table(
            "table", "rows", "bytes per row", "bytes per event", title=f"{events:,} events"
        )
        for name in TABLES:
            status, text = engine.ask(f"OPTIMIZE TABLE telemetry.{name} FINAL")
            assert status == 200, text
            ((rows, size),) = engine.rows(
                "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts"
                f" WHERE active AND database = 'telemetry' AND table = '{name}'"
            )
            rows, size = int(rows), int(size)
            table.add_row(name, f"{rows:,}", f"{size / max(rows, 1):.1f}", f"{size / events:.2f}")
        for devices in (100, 10_000, 10_000_000):
            ((size,),) = engine.rows(CELL % devices)
            table.add_row(f"hourly: state of {devices:,} devices", "", f"{int(size):,}", "")
        return table
    finally:
        engine.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--phones", type=int, default=PHONES)
    phones = parser.parse_args().phones
    console = Console(width=None if sys.stdout.isatty() else 100)
    posts = posts_of(phones)
    bodies = bodies_of(posts)
    console.print(on_the_wire(posts, bodies))
    console.print(reading())
    table = Table(
        "topic's codec",
        "connections",
        "bytes per event",
        "events per batch",
        "broker CPU µs per event",
        "events",
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for codec in CODECS:
            for connections in (1, 64):
                place = folder / f"{codec}-{connections}"
                place.mkdir()
                table.add_row(codec, str(connections), *in_kafka(place, codec, bodies, connections))
        console.print(table)
        console.print(in_clickhouse(folder / "clickhouse", SEEDED))


if __name__ == "__main__":
    main()
