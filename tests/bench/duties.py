"""`python -m tests.bench.duties`: what spool readiness, guard and workers cost on the hot path.

All variants are up at once and take turns, so that whatever else the machine does meets them alike.
The figure is the CPU time of the gateway's processes per event answered 200 after Kafka's ack.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from msgspec import Struct
from rich.console import Console
from rich.progress import track
from rich.table import Table

from infra.provision import ProvisionOptions, provision
from tests.bench.generator import CONNECTIONS, Load, request_of
from tests.kafka import KafkaUnderTest
from tests.processes import GatewayProcess, add_key

EVENTS = (1, 10, 50)
POSTS = {1: 6000, 10: 4000, 50: 1500}  # per round
ROUNDS = 5


class Variant(Struct, frozen=True):
    name: str
    command: Sequence[str] = ("gateway", "serve")
    options: dict[str, object] = {}


VARIANTS = (
    Variant("everything on"),
    Variant("no spool", options={"spool_bytes": 0}),
    Variant("no guard", command=("tests.bench.plain_protocol",)),
    Variant("two workers", command=("gateway", "serve", "--workers", "2")),
)


def cpu_seconds(gateway: GatewayProcess) -> float:
    """Of the gateway and its processes."""
    process = psutil.Process(gateway.pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


async def measure(gateway: GatewayProcess, events: int) -> float:
    """CPU microseconds per event of one round."""
    requests = [request_of(device, events) for device in range(CONNECTIONS)]
    load = Load(POSTS[events])
    before = cpu_seconds(gateway)
    await load.run(gateway.port, requests)
    used = cpu_seconds(gateway) - before
    if load.other:
        raise SystemExit(f"{len(load.other)} POSTs were not kept in Kafka: {load.other[0]!r}")
    return used * 1e6 / (load.kept * events)


def run(folder: Path) -> dict[tuple[str, int], list[float]]:
    kafka = KafkaUnderTest(folder)
    kafka.start()
    gateways: dict[str, GatewayProcess] = {}
    found: dict[tuple[str, int], list[float]] = {}
    try:
        asyncio.run(provision(ProvisionOptions(bootstrap=kafka.bootstrap, replication_factor=1)))
        for one in VARIANTS:
            data = folder / one.name.replace(" ", "-")
            data.mkdir()
            add_key("bench", data)
            options = {"spool_min_free_bytes": 0} | one.options
            made = GatewayProcess(kafka.bootstrap, data, 0, one.command, **options)
            made.wait_until_ready()
            gateways[one.name] = made
        for number in track(range(ROUNDS + 1), "rounds"):
            for events in EVENTS:
                for name, gateway in gateways.items():
                    cost = asyncio.run(measure(gateway, events))
                    if number:  # the first one warms everything up
                        found.setdefault((name, events), []).append(cost)
    finally:
        for gateway in gateways.values():
            gateway.stop()
        kafka.stop()
    return found


def show(found: dict[tuple[str, int], list[float]]) -> None:
    table = Table("variant", *[f"{events} per POST" for events in EVENTS])
    for one in VARIANTS:
        cells = []
        for events in EVENTS:
            costs = found[one.name, events]
            first = statistics.median(found[VARIANTS[0].name, events])
            middle = statistics.median(costs)
            cells.append(
                f"{middle:.2f} ({min(costs):.2f} to {max(costs):.2f}), ratio {middle / first:.2f}"
            )
        table.add_row(one.name, *cells)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print("CPU µs per event: median (least to most), ratio to the first row")
    console.print(table)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        show(run(Path(temporary)))
