"""`python -m tests.bench.duties`: what spool readiness, guard and workers cost on the hot path."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench.candidates import NO_SPOOL, Variant, start_gateway
from tests.bench.rounds import measure, table_of
from tests.bench.stack import broker

ROUNDS = 5
VARIANTS = (
    Variant("everything on"),
    Variant("no spool", options=NO_SPOOL),
    Variant("ASGI, no guard", command=("tests.bench.plain_protocol",)),
    Variant("two workers", command=("gateway", "serve", "--workers", "2")),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with broker(folder) as kafka:
            candidates = [start_gateway(one, kafka.bootstrap, folder) for one in VARIANTS]
            try:
                costs, _ = measure(candidates, ROUNDS)
            finally:
                for one in candidates:
                    one.stop()
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table_of(costs, [one.name for one in VARIANTS]))


if __name__ == "__main__":
    main()
