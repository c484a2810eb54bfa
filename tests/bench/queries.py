"""`python -m tests.bench.queries`: CPU time, rows and bytes read of every named query over seeded
events, and what the views cost on insert beside the raw table alone.

The events are those of `telemetry-loadtest seed`, one app, all days of the period. CPU is that of
the local engine's process, the middle of several rounds, with merges done and nothing else running.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from loadtest.seed import SeedPlan, run_seed
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.bench.candidates import cpu_seconds
from tests.clickhouse import ClickHouseUnderTest

LAST = date(2026, 11, 24)
DAYS = 30
ROUNDS = 7
INSERT_EVENTS = 600_000  # of the comparison of inserts, in batches of about 50,000
RELEASE, AGAINST = "4.3.0", "4.2.0"
STEPS = "app_open,view_item,add_to_cart,purchase"
VIEWS = ("sessions_mv", "device_days_mv", "hourly_mv", "crash_groups_mv", "chunks_mv")
TABLES = ("events", "sessions", "device_days", "hourly", "crash_groups", "chunks")


class Cost(Struct, frozen=True):
    name: str
    cpu_ms: float
    rows_read: int
    bytes_read: int
    rows: int


async def given_for(client: AsyncClient, name: str) -> dict[str, str]:
    """Parameters that make the query work over all that is seeded."""
    found = await client.query(
        "SELECT device_id, toString(event_id) FROM telemetry.events ORDER BY sequence DESC LIMIT 1"
    )
    device, event_id = map(str, found.result_rows[0])
    found = await client.query(
        "SELECT lower(leftPad(hex(crash_group), 16, '0')) FROM telemetry.crash_groups"
        " GROUP BY crash_group ORDER BY uniqExactMerge(crashes) DESC LIMIT 1"
    )
    group = str(found.result_rows[0][0])
    given = {"app": "demo", "device": device, "event_id": event_id, "steps": STEPS, "group": group}
    given |= {"from": str(LAST - timedelta(days=DAYS - 1)), "to": str(LAST)}
    if name == "release_compare":
        given |= {"release": RELEASE, "against": AGAINST}
    return {one.name: given[one.name] for one in sql.load(name).params if one.name in given}


async def cost_of(client: AsyncClient, pid: int, name: str) -> Cost:
    query = sql.load(name)
    values = query.check(await given_for(client, name), LAST)
    await client.query(query.sql, parameters=values)  # what is read once is in memory
    spent: list[float] = []
    for _ in range(ROUNDS):
        before = cpu_seconds(pid)
        result = await client.query(query.sql, parameters=values)
        spent.append(cpu_seconds(pid) - before)
    rows_read, bytes_read = (int(result.summary.get(f"read_{of}", 0)) for of in ("rows", "bytes"))
    cpu_ms = statistics.median(spent) * 1000
    return Cost(name, cpu_ms, rows_read, bytes_read, len(result.result_rows))


async def queries(engine: ClickHouseUnderTest, events: int, devices: int) -> list[Cost]:
    client = await sql.connect(engine.server())
    plan = SeedPlan(app="demo", events=events, devices=devices, days=DAYS, last=LAST, seed=7)
    try:
        await run_seed(client, plan, Console(stderr=True))
        for table in TABLES:
            await client.command(
                f"OPTIMIZE TABLE telemetry.{table} FINAL", settings={"max_execution_time": "600"}
            )
        return [await cost_of(client, engine.pid, name) for name in sql.names()]
    finally:
        await client.close()


async def insert_cost(engine: ClickHouseUnderTest, without: Sequence[str]) -> float:
    """CPU microseconds per event of seeding with merges stopped, as inserts come from the sink."""
    client = await sql.connect(engine.server())
    plan = SeedPlan(
        app="demo", events=INSERT_EVENTS, devices=20_000, days=DAYS, last=LAST, seed=7
    )  # fmt: skip
    try:
        for view in without:
            await client.command(f"DROP VIEW telemetry.{view}")
        await client.command("SYSTEM STOP MERGES")
        before = cpu_seconds(engine.pid)
        stored = await run_seed(client, plan, Console(stderr=True))
        return (cpu_seconds(engine.pid) - before) * 1e6 / stored
    finally:
        await client.close()


def on_engine(folder: Path) -> ClickHouseUnderTest:
    engine = ClickHouseUnderTest(folder)
    engine.start()
    engine.migrate()
    return engine


def measure_inserts(folder: Path) -> dict[str, float]:
    costs: dict[str, float] = {}
    for name, without in {"raw table alone": VIEWS, "with all views": ()}.items():
        engine = on_engine(folder / name.replace(" ", "-"))
        try:
            costs[name] = asyncio.run(insert_cost(engine, without))
        finally:
            engine.stop()
    return costs


def show(found: Sequence[Cost], inserts: dict[str, float], console: Console) -> None:
    table = Table("query", "CPU ms", "rows read", "MB read", "rows")
    for one in found:
        megabytes = f"{one.bytes_read / 1e6:.1f}"
        table.add_row(
            one.name, f"{one.cpu_ms:.0f}", f"{one.rows_read:,}", megabytes, f"{one.rows:,}"
        )
    console.print(table)
    table = Table("insert", "CPU µs per event, generation included")
    for name, cost in inserts.items():
        table.add_row(name, f"{cost:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--devices", type=int, default=150_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        inserts = measure_inserts(Path(temporary))
        engine = on_engine(Path(temporary) / "queries")
        try:
            found = asyncio.run(queries(engine, given.events, given.devices))
        finally:
            engine.stop()
    show(found, inserts, Console(width=None if sys.stdout.isatty() else 100))


if __name__ == "__main__":
    main()
