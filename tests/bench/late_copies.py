"""`python -m tests.bench.late_copies`: what it would cost to look for every event of a chunk among
all that is stored, so that also copies from beyond the window of ids were dropped exactly.

Engine CPU of one chunk's insert, and of two ways to ask for its rows beforehand: by the whole
sorting key, and by event id alone. Devices are many, as in an app that is used.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.clickhouse import ClickHouseUnderTest

STORED = 5_000_000
DEVICES = 500_000
CHUNK = 10_000
ROUNDS = 5
BATCH = 500_000

# One event per number: a phone's many events over a month, in the order in which they came.
_EVENT = f"""
    toUUID(concat(leftPad(hex(sipHash64(n)), 16, '0'), leftPad(hex(n), 16, '0'))) AS event_id,
    'bench' AS app_id,
    ['app_open', 'app_close', 'screen', 'track', 'app_crash'][n % 5 + 1] AS event_type,
    concat('device-', toString(sipHash64(n, 1) % {DEVICES})) AS device_id,
    toDateTime64('2026-11-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(n * 500) AS occurred_at,
    occurred_at AS received_at,
    occurred_at AS ts,
    'cluster' AS kafka_cluster,
    'app-events' AS kafka_topic,
    n % 12 AS kafka_partition,
    intDiv(n, 12) AS kafka_offset
"""  # constants only
_COLUMNS = (
    "event_id, app_id, event_type, device_id, occurred_at, received_at, ts, kafka_cluster,"
    " kafka_topic, kafka_partition, kafka_offset"
)
_KEY = "app_id, event_type, toDate(occurred_at), device_id, occurred_at, event_id"


def insert(first: int, count: int) -> str:
    numbers = f"SELECT number + {first} AS n FROM numbers({count})"
    return f"INSERT INTO telemetry.events ({_COLUMNS}) SELECT {_EVENT} FROM ({numbers})"


def look_up(first: int, by: str) -> str:
    """How many of a chunk's events are there already: half of them are."""
    start = first - CHUNK // 2
    numbers = f"SELECT number + {start} AS n FROM numbers({CHUNK})"
    wanted = f"SELECT {by} FROM (SELECT {_EVENT} FROM ({numbers}))"
    return f"SELECT count() FROM telemetry.events WHERE ({by}) IN ({wanted})"


class Engine:
    """Asks, and says how many CPU seconds that took."""

    def __init__(self, clickhouse: ClickHouseUnderTest) -> None:
        self._clickhouse = clickhouse
        self._process = psutil.Process(clickhouse.pid)

    def cpu_seconds(self, sql: str) -> float:
        before = self._process.cpu_times()
        status, text = self._clickhouse.ask(sql, url={"max_execution_time": "55"})
        after = self._process.cpu_times()
        if status != 200:
            raise SystemExit(text)
        return float(after.user + after.system - before.user - before.system)


def main(folder: Path) -> None:
    clickhouse = ClickHouseUnderTest(folder)
    clickhouse.start()
    try:
        clickhouse.migrate()
        engine = Engine(clickhouse)
        for first in range(0, STORED, BATCH):
            engine.cpu_seconds(insert(first, BATCH))
        costs: dict[str, list[float]] = {"insert": [], "by sorting key": [], "by event id": []}
        for number in range(ROUNDS):
            first = STORED + number * CHUNK
            costs["by sorting key"].append(engine.cpu_seconds(look_up(first, _KEY)))
            costs["by event id"].append(engine.cpu_seconds(look_up(first, "event_id")))
            costs["insert"].append(engine.cpu_seconds(insert(first, CHUNK)))
    finally:
        clickhouse.stop()
    show(costs)


def show(costs: dict[str, list[float]]) -> None:
    table = Table("work", "CPU ms per chunk: median", "least", "most", "ratio to the insert")
    insert_cost = statistics.median(costs["insert"])
    for name, some in costs.items():
        middle = statistics.median(some)
        figures = [f"{one * 1000:.0f}" for one in (middle, min(some), max(some))]
        table.add_row(name, *figures, f"{middle / insert_cost:.2f}")
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(f"{STORED:,} rows stored, {DEVICES:,} devices, chunks of {CHUNK:,} rows")
    console.print(table)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
