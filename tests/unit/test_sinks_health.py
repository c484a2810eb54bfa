"""What a sink process tells of itself before, in and after its work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.contract.readiness import Lack, Lacks
from infra.local.ports import free_ports
from sinks.health import LIVE_SECONDS, Condition, told
from sinks.metrics import Metrics
from tests.kafka import until, wait_until
from tests.probing import Probe


class Working:
    def __init__(self, lacks: Lacks, last_tick: Callable[[], float] = time.monotonic) -> None:
        self.found = lacks
        self._tick = last_tick

    @property
    def last_tick(self) -> float:
        return self._tick()

    def lacks(self) -> Lacks:
        return self.found


def test_it_lacks_what_it_waits_for_then_what_its_loop_says() -> None:
    condition = Condition()
    starting = list(condition.lacks())
    condition.waits(Lack.STORE, "ClickHouse is not there yet")
    waiting = list(condition.lacks())
    loop = Working({})
    condition.follow(loop)
    working = list(condition.lacks())
    loop.found = {Lack.KAFKA: "no partition is assigned"}
    condition.is_draining = True

    assert (starting, waiting, working) == (["recovery"], ["store"], [])
    assert list(condition.lacks()) == ["kafka", "draining"]


async def test_its_port_is_open_meanwhile_and_tells_when_it_is_told_to_stop() -> None:
    (port,) = free_ports(1)
    metrics, condition, stop = Metrics(), Condition(), asyncio.Event()
    metrics.process.watch(condition.lacks)
    condition.follow(Working({}))
    probe = Probe(port)
    async with told("127.0.0.1", port, metrics, condition, stop):
        await asyncio.to_thread(wait_until, lambda: probe.lacks() is not None)
        before = await asyncio.to_thread(probe.lacks)
        stop.set()
        await until(lambda: condition.is_draining)
        after = await asyncio.to_thread(probe.lacks)
        _, page = await asyncio.to_thread(probe.get, "/metrics")

    assert (before, after) == ([], ["draining"])
    assert "\ntelemetry_sink_ready 0.0\n" in page
    assert await asyncio.to_thread(probe.lacks) is None


async def test_a_loop_that_stands_still_is_not_live() -> None:
    (port,) = free_ports(1)
    condition = Condition()
    condition.follow(Working({}, lambda: time.monotonic() - LIVE_SECONDS - 1))
    probe = Probe(port)
    async with told("127.0.0.1", port, Metrics(), condition, asyncio.Event()):
        await asyncio.to_thread(wait_until, lambda: probe.lacks() is not None)
        status, _ = await asyncio.to_thread(probe.get, "/livez")

    assert status == 503
