"""Gateways that break one promise each: the negative controls of the tests of the whole path.

`python -m tests.e2e.careless_gateway early` is started like `python -m gateway serve`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Sequence

from gateway.config import PREFIXES, GatewayConfig
from gateway.contract.record import Run
from gateway.contract.verdict import Kept
from gateway.publish.kafka import KafkaPublisher
from gateway.publish.lane import Lane
from gateway.publish.publisher import Outcome, Settle
from gateway.runtime import load_config, setup_logging
from gateway.serve import bind, serve


class EarlyAck(KafkaPublisher):
    """Says 200 when a record is on its way, as many gateways do."""

    def submit(self, runs: Sequence[Run], settle: Settle) -> None:
        super().submit(runs, lambda _: None)
        settle(Outcome(Kept.KAFKA))


class AnyPartition(KafkaPublisher):
    """Spreads the records evenly, whoever sent them."""

    _next = itertools.count()

    def _lane_of(self, run: Run) -> Lane:
        return self._lanes[run.topic, next(self._next) % self._expected[run.topic]]


class UnsortedDrain(KafkaPublisher):
    """Takes what was spooled in whatever order it likes."""

    def send(self, runs: Sequence[Run], settle: Settle) -> None:
        super().send(runs[::-1], settle)


CARELESS = {"early": EarlyAck, "any": AnyPartition, "unsorted": UnsortedDrain}


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = load_config(GatewayConfig, PREFIXES, os.environ)
    setup_logging()
    publisher_type = CARELESS[sys.argv[1]]
    await serve(config, bind(config), stop, _say_ready, publisher_type)


def _say_ready(url: str) -> None:
    print(f"gateway ready {url}", flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
