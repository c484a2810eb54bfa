"""`python -m tests.bench.freshness`: how long after their POST events can be asked for, at a steady
rate through the whole path: gateway, Kafka, sink, ClickHouse, and their load, on this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.provision import ProvisionOptions, provision
from tests.bench.candidates import Variant, start_gateway
from tests.bench.generator import CONNECTIONS, Load, of_new_events
from tests.bench.rounds import GOOD
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, wait_until
from tests.processes import sink

EVENTS = 50  # per POST
DEVICES = 2_000
PER_SECOND = 20_000
SECONDS = 60
FIRST_SECONDS = 10  # of them, in which machine code and caches are still made: not counted
QUANTILES = (0.5, 0.9, 0.99, 1.0)
COUNTED = "SELECT count() FROM telemetry.events"
ASKED = (
    f"SELECT quantilesExact({', '.join(map(str, QUANTILES))})"
    "(date_diff('millisecond', received_at, inserted_at) / 1000) FROM telemetry.events"
    " WHERE received_at >= "
    f"(SELECT min(received_at) FROM telemetry.events) + INTERVAL {FIRST_SECONDS} SECOND"
)


def measure(folder: Path, per_second: int, seconds: int) -> list[float]:
    """Quantiles of the seconds from arrival to row."""
    posts = per_second * seconds // EVENTS
    with ExitStack() as stack:
        kafka, engine = KafkaUnderTest(folder), ClickHouseUnderTest(folder / "clickhouse")
        kafka.start()
        stack.callback(kafka.stop)
        engine.start()
        stack.callback(engine.stop)
        asyncio.run(provision(ProvisionOptions(bootstrap=kafka.bootstrap, replication_factor=1)))
        engine.migrate()
        storing = sink(
            kafka.bootstrap, engine.url, engine.user, engine.password, folder / "sink.log",
            group="bench", chunk_rows=50_000, chunk_age_seconds=0,
            session_timeout_ms=30_000, heartbeat_interval_ms=3_000,
        )  # fmt: skip
        stack.callback(storing.stop)
        storing.wait_ready()
        gateway = start_gateway(Variant("gateway"), kafka.bootstrap, folder)
        stack.callback(gateway.stop)
        idle = [b""] * CONNECTIONS  # what is sent over them are new events
        load = Load(gateway.port, idle, GOOD, of_new_events(DEVICES, EVENTS))
        stack.callback(load.close)
        load.paced(posts, per_second / EVENTS)
        wanted = posts * EVENTS
        wait_until(lambda: int(engine.rows(COUNTED)[0][0]) == wanted, 120, "all rows")
        return [float(one) for one in engine.rows(ASKED)[0][0]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--per-second", type=int, default=PER_SECOND, help="events")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds = measure(folder, given.per_second, given.seconds)
    table = Table(
        *[f"p{100 * one:g}" for one in QUANTILES],
        title=f"seconds to be stored, {given.per_second:,} events per second",
    )
    table.add_row(*[f"{one:.2f}" for one in seconds])
    Console(width=None if sys.stdout.isatty() else 80).print(table)


if __name__ == "__main__":
    main()
