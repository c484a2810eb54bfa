"""`python -m tests.bench.inserts`: what an insert costs the engine beside its rows; and what an id
in a sink's window weighs, and costs to read back."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from gateway.contract.topics import APP_EVENTS
from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.sink import known_settings
from sinks.clickhouse.sql import connect
from sinks.clickhouse.tables import EVENTS, body_of, constant_of
from sinks.rows import identity_of
from sinks.sink import Row
from sinks.window import IdWindow
from tests.bench.candidates import cpu_seconds
from tests.bench.sink import BUCKET, CLUSTER, records
from tests.clickhouse import ClickHouseUnderTest

ROWS = (500, 5_000, 50_000)  # of an insert
INSERTS = 12  # of each size, after one that is not counted
IDS = 200_000


async def insert(engine: ClickHouseUnderTest, rows: int, first: int) -> tuple[float, float]:
    """CPU and wall seconds of an insert, the least and the median of some."""
    client = await connect(engine.server())
    settings = {**await known_settings(client), "wait_end_of_query": "1"}
    cpu, wall = 0.0, []
    try:
        for number in range(INSERTS + 1):
            start = first + number * rows
            values = [value for _, value in records(rows)]
            constant = constant_of(CLUSTER, APP_EVENTS.name, 0, start, start + rows)
            body = body_of(
                [Row(start + one, value, None, BUCKET) for one, value in enumerate(values)],
                constant,
                {BUCKET: (0, 0)},
            )
            token = f"{CLUSTER}:{start}"
            before, began = cpu_seconds(engine.pid), time.perf_counter()
            await client.raw_insert(
                EVENTS.name, EVENTS.columns, body, fmt="JSONEachRow",
                settings={**settings, "insert_deduplication_token": token},
            )  # fmt: skip
            if number:
                wall.append(time.perf_counter() - began)
                cpu += cpu_seconds(engine.pid) - before
    finally:
        await client.close()
    return cpu / INSERTS, sorted(wall)[len(wall) // 2]


async def refill(engine: ClickHouseUnderTest, start: int, end: int) -> float:
    """CPU seconds, here and in the engine, to read the ids of these offsets back: a new owner's."""
    client = await connect(engine.server())
    try:
        ledger = ClickHouseLedger(client, EVENTS, CLUSTER)
        before = cpu_seconds(engine.pid) + time.process_time()
        found = await ledger.identities(APP_EVENTS.name, 0, start, end)
        used = cpu_seconds(engine.pid) + time.process_time() - before
    finally:
        await client.close()
    assert len(found) == end - start
    return used


def id_bytes() -> float:
    """Of memory, of one id in the window."""
    window = IdWindow(IDS)
    tracemalloc.start()
    window.remember([(one, identity_of("demo", "device", str(uuid4()))) for one in range(IDS)], IDS)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(window)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    table = Table(
        "rows", "CPU ms", "wall ms, median", "CPU µs per row", title=f"{INSERTS} inserts each"
    )
    with tempfile.TemporaryDirectory() as temporary:
        engine = ClickHouseUnderTest(Path(temporary))
        engine.start()
        try:
            engine.migrate()
            for number, rows in enumerate(ROWS):
                first = number * 10_000_000
                cpu, wall = asyncio.run(insert(engine, rows, first))
                table.add_row(
                    f"{rows:,}", f"{cpu * 1e3:.1f}", f"{wall * 1e3:.1f}", f"{cpu * 1e6 / rows:.1f}"
                )
            end = first + rows * (INSERTS + 1)
            again = asyncio.run(refill(engine, first, end)) * 1e6 / (end - first)
        finally:
            engine.stop()
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(f"an id in the window: {id_bytes():.0f} bytes, {again:.1f} µs to read it back")


if __name__ == "__main__":
    main()
