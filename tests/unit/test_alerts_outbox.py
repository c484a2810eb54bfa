"""Alerts on their way: order, retries, giving up, and what is never lost meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from sinks.alerts.alert import Alert, Finding
from sinks.alerts.delivery import Failed, Refused
from sinks.alerts.metrics import Metrics
from sinks.alerts.outbox import Outbox, Persistence
from sinks.alerts.state import State
from tests.kafka import until


def alert(name: str) -> Alert:
    finding = Finding(app="shop", release="1", source=name, title=name)
    return Alert(id=name, rule="r", kind="k", at_ms=0, finding=finding)


class Scripted:
    """A channel that fails an alert as often as told, or refuses it."""

    def __init__(self, failures: Mapping[str, int] | None = None, refused: str = "") -> None:
        self.failures = Counter(failures or {})
        self.refused = refused
        self.tries: list[str] = []
        self.taken: list[str] = []

    async def deliver(self, one: Alert) -> None:
        self.tries.append(one.id)
        if one.id == self.refused:
            raise Refused("never")
        if self.failures[one.id]:
            self.failures[one.id] -= 1
            raise Failed("not now")
        self.taken.append(one.id)


class Graveyard:
    """Where dead alerts go."""

    def __init__(self) -> None:
        self.is_down = False
        self.tries = 0
        self.headers: list[Mapping[str, str]] = []

    async def bury(self, value: bytes, headers: Mapping[str, str]) -> None:
        self.tries += 1
        if self.is_down:
            raise KafkaConnectionError
        self.headers.append(headers)


class Rig:
    def __init__(self) -> None:
        self.state = State()
        self.graveyard = Graveyard()
        self.channels: dict[str, Scripted] = {}
        self.now_ms = 0
        self.metrics = Metrics()
        self.outbox: Outbox | None = None

    def send(self, channel: str, *names: str) -> None:
        for name in names:
            self.state.queue(channel, alert(name), self.now_ms)
        if self.outbox is None:
            self.outbox = Outbox(
                self.channels,
                self.state,
                self.graveyard.bury,
                Persistence(60.0, 0.01, _no_wait),
                self.metrics,
                lambda: self.now_ms,
            )
        self.outbox.wake()

    async def settled(self) -> None:
        await until(lambda: not self.state.pending(), 10, "an outcome for all alerts")

    def counted(self, channel: str, outcome: str) -> float:
        registry: CollectorRegistry = self.metrics.registry
        labels = {"channel": channel, "outcome": outcome}
        return registry.get_sample_value("telemetry_alerts_deliveries_total", labels) or 0


def _no_wait() -> Iterator[float]:
    """Chances that make the first wait 10 ms."""
    return itertools.repeat(-0.49)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    under_test = Rig()
    yield under_test
    if under_test.outbox is not None:
        await under_test.outbox.close(1)


async def test_alerts_go_in_their_order_and_once(rig: Rig) -> None:
    rig.channels["one"] = Scripted()

    rig.send("one", "a", "b")
    rig.send("one", "c")
    await rig.settled()

    assert rig.channels["one"].tries == ["a", "b", "c"]
    assert rig.counted("one", "delivered") == 3


async def test_what_fails_is_tried_again_and_holds_up_nobody(rig: Rig) -> None:
    rig.channels |= {"one": Scripted({"a": 3}), "two": Scripted()}

    rig.send("one", "a", "b")
    rig.send("two", "a")
    await rig.settled()

    assert rig.channels["one"].taken == ["b", "a"]
    assert rig.channels["two"].taken == ["a"]
    assert rig.channels["one"].tries.count("a") == 4
    assert rig.counted("one", "failed") == 3
    assert rig.graveyard.headers == []


async def test_what_is_refused_or_too_old_is_put_aside_with_its_reason(rig: Rig) -> None:
    one = rig.channels["one"] = Scripted({"old": 1000}, refused="bad")

    rig.send("one", "bad", "old", "good")
    await until(lambda: one.tries.count("old") > 2, 10, "some tries")
    assert rig.counted("one", "dead_lettered") == 1
    rig.now_ms = 60_000
    await rig.settled()

    assert one.taken == ["good"]
    assert rig.graveyard.headers == [
        {"channel": "one", "rule": "r", "alert": "bad", "reason": "never"},
        {"channel": "one", "rule": "r", "alert": "old", "reason": "given up: not now"},
    ]


async def test_an_old_alert_is_tried_once_after_a_restart(rig: Rig) -> None:
    rig.channels["one"] = Scripted()
    rig.state.queue("one", alert("a"), 0)
    rig.now_ms = 10**9

    rig.send("one")
    await rig.settled()

    assert rig.channels["one"].taken == ["a"]


async def test_an_alert_for_a_channel_that_is_gone_is_put_aside(rig: Rig) -> None:
    rig.send("gone", "a")
    await rig.settled()

    (headers,) = rig.graveyard.headers
    assert headers["reason"] == "no channel of this name is in the rule file"
    assert rig.counted("(unknown)", "dead_lettered") == 1


async def test_an_alert_stays_pending_until_kafka_has_it_as_dead(rig: Rig) -> None:
    rig.channels["one"] = Scripted(refused="bad")
    rig.graveyard.is_down = True

    rig.send("one", "bad")
    await until(lambda: rig.graveyard.tries > 1, 10, "a second try")
    assert len(rig.state.pending()) == 1
    rig.graveyard.is_down = False
    await rig.settled()

    assert [one["alert"] for one in rig.graveyard.headers] == ["bad"]


async def test_closing_lets_the_try_at_work_end_and_begins_no_other(rig: Rig) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Scripted):
        async def deliver(self, one: Alert) -> None:
            begun.set()
            await go_on.wait()
            await super().deliver(one)

    rig.channels["one"] = Slow()
    rig.send("one", "a", "b")
    assert rig.outbox is not None
    await begun.wait()
    closing = asyncio.create_task(rig.outbox.close(10))
    await asyncio.sleep(0)
    go_on.set()
    await closing

    assert rig.channels["one"].taken == ["a"]
    assert [key[1] for key in rig.state.pending()] == ["b"]
