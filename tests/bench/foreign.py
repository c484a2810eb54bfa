"""`python -m tests.bench.foreign`: what an event of another vendor's protocol costs beside a native
one, from body to records, in this process. Each body holds 50 events of the same kind; what SDKs
send alone is measured alone, beside a native POST of one event.

`--whole` measures a running gateway instead, from POST to answer over Apache Kafka. It has no
spool, as most vendors' answers do not tell whether Kafka has the events.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.contract.topics import APP_EVENTS
from gateway.prepare.batch import prepare
from gateway.prepare.context import Origin
from gateway.protocols import PROTOCOLS
from gateway.protocols.protocol import Head
from tests.bench.candidates import NO_SPOOL, Candidate, Variant, start_gateway
from tests.bench.generator import CONNECTIONS, Load, body_of, request_of
from tests.bench.rounds import Cost
from tests.bench.stack import broker, stored
from tests.bench.vendors import EVENTS, SINGLE, VENDORS, Vendor
from tests.processes import KEY

ROUNDS = 7
POSTS = 40
WHOLE_ROUNDS = 5
WHOLE_POSTS = 1_500  # per round
NATIVE, NATIVE_SINGLE = "native", "native, one event"
GOOD = b"HTTP/1.1 200 "


def _native(events: int) -> Vendor:
    def body(_: str, device: str) -> bytes:
        return body_of(int(device), events)

    return Vendor(NATIVE, "/v1/events", body, events=events)


PROTOCOL_VENDORS: Mapping[str, Vendor] = {
    NATIVE: _native(EVENTS), **VENDORS, NATIVE_SINGLE: _native(1), **SINGLE,
}  # fmt: skip


def _native_of(name: str) -> str:
    """What it is compared with."""
    return NATIVE if PROTOCOL_VENDORS[name].events == EVENTS else NATIVE_SINGLE


def in_process(name: str) -> float:
    """CPU microseconds per event, the least of several rounds."""
    vendor = PROTOCOL_VENDORS[name]
    protocol = next(one for one in PROTOCOLS if one.name == vendor.protocol)
    body = vendor.body("key", "1")
    head = Head("POST", vendor.path, b"", {b"content-type": vendor.content_type.encode()})
    origin = Origin("shop", vendor.protocol, "0" * 32, datetime.now(UTC))

    def post() -> None:
        for batch in protocol.decode(head, body):
            made = prepare(batch, origin)
            if made.outcomes.accepted != vendor.events:
                raise SystemExit(f"{name}: {made.outcomes.accepted} of {vendor.events} events")

    post()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(POSTS):
            post()
        best = min(best, time.process_time() - started)
    return best * 1e6 / (POSTS * vendor.events)


def whole(gateway: Candidate, rounds: int) -> tuple[dict[str, Cost], int]:
    """The cost of each protocol, which take turns, and how many events were kept. One more round
    goes first and warms everything up."""
    found: dict[str, list[float]] = {name: [] for name in PROTOCOL_VENDORS}
    kept = 0
    for number in range(rounds + 1):
        for name, vendor in PROTOCOL_VENDORS.items():
            bodies = [vendor.body(KEY, str(device)) for device in range(CONNECTIONS)]
            requests = [request_of(one, vendor.path, vendor.content_type) for one in bodies]
            load = Load(gateway.port, requests, GOOD)
            load.run(CONNECTIONS)
            before = gateway.cpu_seconds()
            load.run(WHOLE_POSTS)
            used = gateway.cpu_seconds() - before
            load.close()
            kept += (CONNECTIONS + WHOLE_POSTS) * vendor.events
            if number:
                found[name].append(used * 1e6 / (WHOLE_POSTS * vendor.events))
    return {name: Cost(costs) for name, costs in found.items()}, kept


def _measure_whole(console: Console, rounds: int) -> int:
    with tempfile.TemporaryDirectory() as temporary, broker(Path(temporary)) as kafka:
        gateway = start_gateway(
            Variant("gateway", options=NO_SPOOL), kafka.bootstrap, Path(temporary)
        )
        try:
            costs, kept = whole(gateway, rounds)
        finally:
            gateway.stop()
        records = asyncio.run(stored(kafka.bootstrap, APP_EVENTS.name))
    table = Table("protocol", "CPU µs per event, POST to answer", "times the native one's")
    for name, cost in costs.items():
        ratio = cost.middle / costs[_native_of(name)].middle
        table.add_row(name, f"{cost}{' noisy' if cost.is_noisy else ''}", f"{ratio:.2f}")
    console.print(table)
    console.print(f"{kept:,} events answered 200, {records:,} records")
    return int(records != kept)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--whole", action="store_true", help="a running gateway over Kafka")
    parser.add_argument("--rounds", type=int, default=WHOLE_ROUNDS, help="of --whole")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 100)
    if given.whole:
        return _measure_whole(console, given.rounds)
    costs = {name: in_process(name) for name in PROTOCOL_VENDORS}
    table = Table("protocol", "CPU µs per event", "times the native one's")
    for name, cost in costs.items():
        table.add_row(name, f"{cost:.2f}", f"{cost / costs[_native_of(name)]:.1f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
