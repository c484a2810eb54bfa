"""`python -m tests.bench.scale`: what an event costs with more devices, partitions and workers.

Each figure is the least of its rounds: what is looked for is a cost that grows, not the noise.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from rich.console import Console
from rich.table import Table

from gateway.contract.topics import APP_EVENTS
from infra.provision import ProvisionOptions, provision
from tests.bench.candidates import Candidate, Variant, pin_others, start_gateway
from tests.bench.generator import of_devices
from tests.bench.rounds import POSTS, loaded
from tests.kafka import KafkaUnderTest

EVENTS = 10  # per POST
ROUNDS = 4
DEVICES = (1_000, 100_000, 10_000_000)
KNOWN = 120_000  # POSTs before anything is counted: more than the gateway remembers keys
PARTITIONS = (1, 12, 48, 96)
WORKERS = (2, 4, 8)  # one is the row of the most partitions


def cost(candidate: Candidate, devices: int | None = None) -> float:
    """CPU microseconds per event, the least of some rounds."""
    others = None if devices is None else of_devices(devices, EVENTS)
    found = []
    with loaded(candidate, EVENTS, others) as load:
        load.run(500 if devices is None else min(devices, KNOWN))
        for _ in range(ROUNDS):
            before = candidate.cpu_seconds()
            load.run(POSTS[EVENTS])
            found.append((candidate.cpu_seconds() - before) * 1e6 / (POSTS[EVENTS] * EVENTS))
    return min(found)


async def widen(bootstrap: str, partitions: int) -> None:
    """Give the topic so many partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({APP_EVENTS.name: NewPartitions(total_count=partitions)})
    finally:
        await admin.close()


def main() -> None:
    table = Table("", "CPU µs per event", title=f"{EVENTS} events per POST")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pin_others()
        kafka = KafkaUnderTest(folder)
        kafka.start()
        try:
            first = PARTITIONS[0]
            options = ProvisionOptions(
                bootstrap=kafka.bootstrap, replication_factor=1, partitions=first
            )
            asyncio.run(provision(options))
            for partitions in PARTITIONS:
                if partitions != first:
                    asyncio.run(widen(kafka.bootstrap, partitions))
                table.add_row(f"{partitions} partitions", _alone(kafka, folder, partitions))
            for workers in WORKERS:
                table.add_row(f"{workers} workers", _alone(kafka, folder, PARTITIONS[-1], workers))
            for devices in DEVICES:
                figure = _alone(kafka, folder, PARTITIONS[-1], devices=devices)
                table.add_row(f"{devices:,} devices", figure)
        finally:
            kafka.stop()
    Console(width=None if sys.stdout.isatty() else 80).print(table)


def _alone(
    kafka: KafkaUnderTest, folder: Path, partitions: int, workers: int = 1,
    devices: int | None = None,
) -> str:  # fmt: skip
    """The cost of a gateway that is up for this figure only."""
    name = f"{partitions} {workers} {devices}"
    command = ["gateway", "serve", *(["--workers", str(workers)] if workers > 1 else [])]
    variant = Variant(name, command, {"kafka_partitions": partitions})
    candidate = start_gateway(variant, kafka.bootstrap, folder)
    try:
        return f"{cost(candidate, devices):.2f}"
    finally:
        candidate.stop()


if __name__ == "__main__":
    main()
