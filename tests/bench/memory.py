"""`python -m tests.bench.memory`: a gateway's resident memory under load, and with connections that
only stay open."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench.candidates import Candidate, Variant, start_gateway
from tests.bench.generator import CONNECTIONS, body_of, request_of
from tests.bench.rounds import GOOD, POSTS, loaded
from tests.bench.stack import broker

EVENTS = 10
IDLE = 10_000


def resident_mib(candidate: Candidate) -> float:
    return float(psutil.Process(candidate.process.pid).memory_info().rss) / 2**20


def idle_connections(candidate: Candidate, count: int) -> list[socket.socket]:
    """Each has posted once, and stays."""
    opened = []
    for device in range(count):
        one = socket.create_connection(("127.0.0.1", candidate.port))
        one.settimeout(30)
        one.sendall(request_of(body_of(device, 1)))
        if GOOD not in one.recv(65536):
            raise SystemExit("a POST was not kept")
        opened.append(one)
    return opened


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=int, default=IDLE, help="connections that only stay open")
    idle: int = parser.parse_args().idle
    table = Table("gateway", "resident MiB")
    with tempfile.TemporaryDirectory() as temporary, broker(Path(temporary)) as kafka:
        candidate = start_gateway(Variant("gateway"), kafka.bootstrap, Path(temporary))
        try:
            table.add_row("just started", f"{resident_mib(candidate):.0f}")
            with loaded(candidate, EVENTS) as load:
                load.run(POSTS[EVENTS])
                table.add_row(
                    f"{CONNECTIONS} connections under load", f"{resident_mib(candidate):.0f}"
                )
            opened = idle_connections(candidate, idle)
            table.add_row(f"{idle:,} idle connections", f"{resident_mib(candidate):.0f}")
            for one in opened:
                one.close()
        finally:
            candidate.stop()
    Console(width=None if sys.stdout.isatty() else 80).print(table)


if __name__ == "__main__":
    main()
