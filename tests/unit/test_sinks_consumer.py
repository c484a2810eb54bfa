"""The fetch loop: nothing unready is fetched, nothing a rebalance caught is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest
from aiokafka import TopicPartition

from gateway.contract.readiness import Lack
from sinks.consumer import Fetcher, FetchRules, Stopped
from sinks.intent import Fenced, Pin
from sinks.metrics import Metrics
from sinks.sink import Misconfigured, Polled
from tests.fakes_sink import PLACE

OTHER = TopicPartition("app-events", 4)


class FakePartition:
    """Takes records; ends when told, or as told."""

    def __init__(self, name: TopicPartition, expect: int = 10) -> None:
        self.name = name
        self.label = f"{name.topic}-{name.partition}"
        self.expect = self.position = expect
        self.is_ready = True
        self.is_full = False
        self.last_progress = 0.0
        self.oldest_ms = None
        self.taken: list[int] = []
        self.ends_by: Exception | None = None
        self.stopped = asyncio.Event()
        self.flushed: bool | None = None

    def add(self, records: list[Polled]) -> None:
        self.taken += [record.offset for record in records]
        self.expect = self.taken[-1] + 1

    def stop(self, *, flush: bool) -> None:
        self.flushed = flush
        self.stopped.set()

    async def run(self) -> None:
        if self.ends_by is not None:
            raise self.ends_by
        await self.stopped.wait()


class FakeConsumer:
    """Answers each fetch with the next script entry; a hook runs in the middle of it."""

    def __init__(self) -> None:
        self.script: list[dict[TopicPartition, list[Any]]] = []
        self.in_fetch: Callable[[], Awaitable[None]] | None = None
        self.asked: list[tuple[TopicPartition, ...]] = []
        self.sought: list[tuple[TopicPartition, int]] = []
        self.high: int | None = None

    async def poll(
        self, *wanted: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Any]]:
        self.asked.append(wanted)
        await asyncio.sleep(0)
        hook, self.in_fetch = self.in_fetch, None
        if hook is not None:
            await hook()
        return self.script.pop(0) if self.script else {}

    def seek(self, name: TopicPartition, offset: int) -> None:
        self.sought.append((name, offset))

    def highwater(self, name: TopicPartition) -> int | None:
        return self.high


class FakePins:
    """The pins of the assignments to come."""

    def __init__(self, *pins: Pin) -> None:
        self._pins = list(pins) or [Pin(1, "m")]

    def pin(self) -> Pin:
        return self._pins.pop(0) if len(self._pins) > 1 else self._pins[0]


class Bench:
    def __init__(self, instance: str | None = None, pins: FakePins | None = None) -> None:
        self.consumer = FakeConsumer()
        self.parts: list[FakePartition] = []
        self.ready = 0
        self.metrics = Metrics()
        self.stop = asyncio.Event()
        self.fetcher = Fetcher(
            FetchRules(drain_seconds=1.0, stall_seconds=60.0, instance=instance),
            self.consumer,  # type: ignore[arg-type]  # it is polled, sought, and asked how far
            pins or FakePins(),  # type: ignore[arg-type]  # only `pin` is asked
            self.make,  # type: ignore[arg-type]  # fakes of partitions
            self.metrics,
            self.count_ready,
        )

    def make(
        self, assigned: Collection[TopicPartition], pin: Pin
    ) -> dict[TopicPartition, FakePartition]:
        made = {name: FakePartition(name) for name in assigned}
        self.parts += made.values()
        return made

    def count_ready(self) -> None:
        self.ready += 1

    async def rebalance(self) -> None:
        await self.fetcher.on_partitions_revoked([PLACE])
        await self.fetcher.on_partitions_assigned([PLACE])

    async def run_until(self, fact: Callable[[], bool]) -> None:
        """Run the loop until a fact holds, then drain."""

        async def watch() -> None:
            for _ in range(1000):
                if fact():
                    break
                await asyncio.sleep(0)
            self.stop.set()

        watching = asyncio.create_task(watch())
        try:
            await self.fetcher.run(self.stop)
        finally:
            await watching


def _records(*offsets: int) -> list[Any]:
    return [Polled(offset, None, b"{}", 0) for offset in offsets]


async def test_what_is_fetched_goes_to_its_partition() -> None:
    bench = Bench()
    bench.consumer.script = [{PLACE: _records(10, 11)}]
    await bench.fetcher.on_partitions_assigned([PLACE])

    await bench.run_until(lambda: bool(bench.parts[0].taken))

    assert bench.parts[0].taken == [10, 11]
    assert bench.parts[0].flushed


async def test_an_unready_or_full_partition_is_not_fetched() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    bench.parts[0].is_full = True

    await bench.run_until(lambda: len(bench.consumer.asked) > 2)

    assert set(bench.consumer.asked) == {(OTHER,)}


async def test_what_a_rebalance_caught_in_mid_fetch_is_fetched_again() -> None:
    bench = Bench()
    bench.consumer.script = [{PLACE: _records(10, 11)}, {PLACE: _records(10)}]
    bench.consumer.in_fetch = bench.rebalance
    await bench.fetcher.on_partitions_assigned([PLACE])

    await bench.run_until(lambda: bool(bench.parts[-1].taken))

    assert bench.parts[0].taken == []
    assert bench.consumer.sought == [(PLACE, 10)]
    assert bench.parts[1].taken == [10]


async def test_records_from_before_the_seek_are_dropped_and_fetched_again() -> None:
    bench = Bench()
    bench.consumer.script = [{PLACE: _records(8, 9)}, {PLACE: _records(10)}]
    await bench.fetcher.on_partitions_assigned([PLACE])

    await bench.run_until(lambda: bool(bench.parts[0].taken))

    assert bench.parts[0].taken == [10]
    assert bench.consumer.sought == [(PLACE, 10)]


async def test_a_revocation_lets_the_buffers_go() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE])

    await bench.fetcher.on_partitions_revoked([PLACE])

    assert bench.parts[0].flushed is False
    assert not bench.fetcher.is_ready


async def test_it_is_ready_once_all_partitions_have_recovered() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    bench.parts[0].is_ready = False

    before = bench.fetcher.is_ready
    bench.parts[0].is_ready = True
    await bench.run_until(lambda: bench.ready > 0)

    assert not before
    assert bench.ready == 1


async def test_a_misconfiguration_stops_the_process_with_its_reason() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    bench.parts[0].ends_by = Misconfigured("a table is missing")

    with pytest.raises(Stopped, match="a table is missing"):
        await bench.fetcher.run(bench.stop)

    assert bench.parts[1].flushed is False


async def test_a_bug_ends_the_process_with_its_trace() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE])
    bench.parts[0].ends_by = ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        await bench.fetcher.run(bench.stop)


async def test_a_fenced_partition_waits_for_its_next_assignment() -> None:
    bench = Bench()
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    bench.parts[0].ends_by = Fenced("another owner")

    await bench.run_until(lambda: bench.consumer.asked[-1:] == [(OTHER,)])

    assert not bench.parts[0].is_ready
    assert bench.parts[1].flushed


async def test_records_that_wait_unfetched_for_too_long_end_the_process() -> None:
    bench = Bench()
    bench.consumer.high = 99
    await bench.fetcher.on_partitions_assigned([PLACE])
    bench.parts[0].last_progress = -1e9

    with pytest.raises(Stopped, match="app-events-3: 89 records wait unfetched"):
        await bench.fetcher.run(bench.stop)


@pytest.mark.parametrize(
    ("held_up", "goes_on"),
    [
        ({"is_full": True}, {"is_full": False}),
        ({"is_ready": False}, {"is_ready": True}),
        ({"expect": 99}, {"expect": 98}),
    ],
    ids=["full", "recovering", "idle"],
)
async def test_a_partition_that_was_held_up_for_long_has_its_time_to_fetch(
    held_up: dict[str, object], goes_on: dict[str, object]
) -> None:
    bench = Bench()
    bench.consumer.high = 99
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    part = bench.parts[0]
    part.last_progress = -1e9
    bench.parts[1].expect = 99
    for name, value in held_up.items():
        setattr(part, name, value)

    async def nothing_yet() -> None:
        bench.consumer.in_fetch = go_on

    async def go_on() -> None:
        for name, value in goes_on.items():
            setattr(part, name, value)

    bench.consumer.in_fetch = nothing_yet

    await bench.run_until(lambda: len(bench.consumer.asked) > 4)

    assert part.flushed


async def test_a_full_partition_does_not_end_the_process() -> None:
    bench = Bench()
    bench.consumer.high = 99
    await bench.fetcher.on_partitions_assigned([PLACE, OTHER])
    bench.parts[0].last_progress = -1e9
    bench.parts[0].is_full = True
    bench.parts[1].expect = 99

    await bench.run_until(lambda: len(bench.consumer.asked) > 2)

    assert bench.parts[0].flushed


def _twin_pins(count: int) -> FakePins:
    return FakePins(*[Pin(4, f"member-{number}") for number in range(count)])


async def test_twins_of_one_instance_are_told_by_the_changing_member_id() -> None:
    bench = Bench(instance="sink-0", pins=_twin_pins(9))
    for _ in range(8):
        await bench.rebalance()

    with pytest.raises(Stopped, match="--instance sink-0 too: give each its own"):
        await bench.fetcher.run(bench.stop)


@pytest.mark.parametrize(
    ("instance", "pins"),
    [
        (None, _twin_pins(9)),
        ("sink-0", FakePins(*[Pin(number, f"member-{number}") for number in range(9)])),
        ("sink-0", FakePins(*[Pin(number, "member-1") for number in range(9)])),
    ],
    ids=["dynamic members", "sessions that ended", "others that join"],
)
async def test_other_rebalances_are_no_twins(instance: str | None, pins: FakePins) -> None:
    bench = Bench(instance=instance, pins=pins)
    for _ in range(8):
        await bench.rebalance()

    await bench.run_until(lambda: len(bench.consumer.asked) > 2)

    assert bench.ready == 1


async def test_what_it_lacks_is_told_by_code() -> None:
    bench = Bench()
    without = bench.fetcher.lacks()
    await bench.rebalance()
    ready = bench.fetcher.lacks()
    bench.parts[0].is_ready = False
    bench.metrics.waiting = 1
    both = bench.fetcher.lacks()
    await bench.run_until(lambda: True)

    assert (list(without), ready, list(both)) == (["kafka"], {}, ["recovery", "store"])
    assert both[Lack.RECOVERY] == "1 of 1 partitions are recovering"
