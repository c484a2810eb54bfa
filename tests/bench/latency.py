"""`python -m tests.bench.latency`: how long a POST waits, at shares of what the gateway can take.

The loop is open: POSTs are due at fixed times, whoever is slow, and each one's wait counts from
when it was due. POSTs that come while a request to Kafka is open share the next one (group
commit): the last column tells how many did.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from tests.bench.candidates import Candidate, Variant, start_gateway
from tests.bench.rounds import EVENTS, POSTS, loaded
from tests.bench.stack import broker

SHARES = (0.25, 0.5, 0.75)
LIGHT = 200.0  # POSTs a second
SECONDS = 8.0
PRODUCED = "telemetry_gateway_kafka_produce_duration_seconds_count "


def produce_requests(candidate: Candidate) -> float:
    with urlopen(f"http://127.0.0.1:{candidate.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(one.removeprefix(PRODUCED) for one in lines if one.startswith(PRODUCED)))


def quantile(sorted_: list[float], share: float) -> float:
    return sorted_[min(len(sorted_) - 1, int(share * len(sorted_)))]


def main() -> None:
    table = Table(
        "events per POST", "POSTs per second", "p50 ms", "p99 ms", "p99.9 ms", "shared by"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with broker(folder) as kafka:
            candidate = start_gateway(Variant("telemetry gateway"), kafka.bootstrap, folder)
            for events in EVENTS:
                with loaded(candidate, events) as load:
                    load.run(POSTS[events] // 2)
                    started = time.perf_counter()
                    load.run(POSTS[events])
                    capacity = POSTS[events] / (time.perf_counter() - started)
                    rates = {"light": LIGHT}
                    rates |= {f"{share:.0%} of capacity": share * capacity for share in SHARES}
                    for name, rate in rates.items():
                        before = produce_requests(candidate)
                        waits = sorted(load.paced(int(rate * SECONDS), rate))
                        shared = len(waits) / (produce_requests(candidate) - before)
                        times = [f"{quantile(waits, one) * 1e3:.2f}" for one in (0.5, 0.99, 0.999)]
                        table.add_row(str(events), f"{rate:,.0f} ({name})", *times, f"{shared:.1f}")
            candidate.stop()
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
