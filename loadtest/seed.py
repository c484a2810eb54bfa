"""A data set straight into ClickHouse, made there by hashes: what queries are tried and timed on.

The same seed, app, sizes and last day are the same events; seeding them again stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from importlib.resources import files

from msgspec import Struct
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sinks.clickhouse.sql import AsyncClient, SchemaError, answered

EVENTS_PER_SESSION = 7.5  # 4 to 11, evenly
BATCH_EVENTS = 200_000  # of one insert: a part of each view, and a quarter of a second
INSERT_SETTINGS = {"optimize_on_insert": "0", "max_insert_threads": "1", "max_execution_time": "50"}
TOKEN = "insert_deduplication_token"  # noqa: S105  # names an insert, guards nothing


class SeedPlan(Struct, frozen=True, kw_only=True):
    """What is seeded: about `events` of `devices`, over the `days` that end with `last`."""

    app: str
    events: int
    devices: int
    days: int
    last: date
    seed: int

    @property
    def sessions_per_device(self) -> float:
        return self.events / self.devices / EVENTS_PER_SESSION

    def batches(self) -> Iterator[tuple[int, int]]:
        """First device and number of devices of each insert."""
        size = max(1, round(BATCH_EVENTS * self.devices / self.events))
        for first in range(0, self.devices, size):
            yield first, min(size, self.devices - first)

    @property
    def topic(self) -> str:
        """What stands for the topic in the account: a name of this plan alone."""
        sizes = f"{self.events}-{self.devices}-{self.days}"
        return f"seed-{self.seed}-{self.app}-{self.last}-{sizes}"


async def check_tables(client: AsyncClient) -> None:
    """Raises SchemaError where there is nothing to seed into."""
    found = await answered(client.query("EXISTS TABLE telemetry.events"))
    if not found.result_rows[0][0]:
        raise SchemaError("there is no table telemetry.events; run `telemetry-sink migrate`")


async def run_seed(client: AsyncClient, plan: SeedPlan, console: Console) -> int:
    """Seed with a progress bar; the number of events there are now.

    Raises SchemaError, Unreachable, ClickHouseError.
    """
    await check_tables(client)
    columns = (
        TextColumn("seeding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("devices"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=plan.devices)
        return await seed(client, plan, lambda count: progress.advance(task, count))


async def seed(client: AsyncClient, plan: SeedPlan, on_devices: Callable[[int], None]) -> int:
    """Insert it all; `on_devices` is told how many devices came in. How many events are there now.

    Raises Unreachable, ClickHouseError.
    """
    sql = (files("loadtest") / "sql" / "seed.sql").read_text(encoding="utf-8")
    offset = 0
    for first, count in plan.batches():
        parameters = {
            "app": plan.app,
            "seed": plan.seed,
            "last": plan.last.isoformat(),
            "days": plan.days,
            "sessions": plan.sessions_per_device,
            "topic": plan.topic,
            "offset": offset,
            "first": first,
            "count": count,
        }
        settings = {**INSERT_SETTINGS, TOKEN: f"{plan.topic}:{first}"}
        await answered(client.command(sql, parameters=parameters, settings=settings))
        offset = await stored(client, plan)
        on_devices(count)
    return offset


async def stored(client: AsyncClient, plan: SeedPlan) -> int:
    """The offset behind the last seeded event, which is their number."""
    found = await answered(
        client.query(
            "SELECT max(kafka_offset) + 1 FROM telemetry.events"
            " WHERE app_id = {app:String} AND kafka_topic = {topic:String}",
            parameters={"app": plan.app, "topic": plan.topic},
        )
    )
    return int(found.result_rows[0][0])
