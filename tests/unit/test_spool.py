"""The spool of one host: answers follow the disk, the drain follows the order, bounds hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.contract.record import Run
from gateway.contract.verdict import Kept
from gateway.metrics import Metrics
from gateway.publish.publisher import Outcome, Settle
from gateway.publish.spool import spool as spool_module
from gateway.publish.spool.entry import encode
from gateway.publish.spool.port import DIRECT, STORED, Fate, SpoolAnswer
from gateway.publish.spool.spool import Spool, SpoolError, SpoolOptions
from tests.kafka import until
from tests.unit.test_spool_lane_log import files_end_at

PLACES = [("app-events", 0), ("app-events", 1)]
NOW_MS = 1_700_000_000_000


class FakeKafka:
    """Takes what is drained while it is `up`."""

    def __init__(self) -> None:
        self.is_up = True
        self.texts: list[str] = []
        self._waiting: list[tuple[Sequence[Run], Settle]] = []

    def send(self, records: Sequence[Run], settle: Settle) -> None:
        self._waiting.append((records, settle))
        self.take()

    def take(self) -> None:
        while self.is_up and self._waiting:
            records, settle = self._waiting.pop(0)
            self.texts += [one.values[0].decode() for one in records]
            settle(Outcome(Kept.KAFKA))

    def refuse(self) -> None:
        """What waits is refused."""
        waiting, self._waiting = self._waiting, []
        for _, settle in waiting:
            settle(Outcome(None, "refused"))


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.kafka = FakeKafka()
        self.metrics = Metrics()
        self.board = bytearray(b"\xff" * len(PLACES))  # whatever a former process left
        self.answers: dict[str, SpoolAnswer] = {}
        self.lives: list[asyncio.Task[None]] = []
        self.spool: Spool

    async def start(self, max_bytes: int = 10**9, min_free_bytes: int = 0) -> None:
        options = SpoolOptions(
            folder=self.folder, max_bytes=max_bytes, min_free_bytes=min_free_bytes,
            alarm_seconds=60,
        )  # fmt: skip
        self.spool = Spool(options, PLACES, self.board, self.metrics, lambda: NOW_MS)
        await self.spool.open()
        self.lives.append(asyncio.create_task(self.spool.run(self.kafka.send)))

    async def end(self) -> None:
        """As abrupt as an end in one process can be."""
        for life in self.lives:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life
        self.lives.clear()

    def append(self, text: str, lane: int = 0, *, is_trip: bool = False) -> None:
        entry = encode([Run("app-events", b"device", [text.encode()])], NOW_MS)
        self.spool.append(lane, entry, is_trip, lambda one: self.answers.update({text: one}))

    async def answered(self, *texts: str) -> list[SpoolAnswer]:
        await until(lambda: set(texts) <= self.answers.keys(), what=f"answers to {texts}")
        return [self.answers[text] for text in texts]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    under_test = Rig(tmp_path)
    yield under_test
    await under_test.end()


async def test_without_a_trip_nothing_is_spooled(rig: Rig) -> None:
    await rig.start()

    rig.append("a")

    assert rig.answers == {"a": DIRECT}
    assert list(rig.board) == [0, 0]


async def test_after_a_trip_all_goes_behind_the_log_until_it_is_drained(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    assert list(rig.board) == [1, 0]  # seen by others before anybody is told that it is kept
    rig.append("b")
    assert await rig.answered("a", "b") == [STORED, STORED]
    rig.append("c")
    assert await rig.answered("c") == [STORED]
    assert rig.spool.holds(0)
    assert not rig.spool.holds(1)

    rig.kafka.is_up = True
    rig.kafka.take()

    await until(lambda: not rig.spool.holds(0), what="a drained lane")
    assert rig.kafka.texts == ["a", "b", "c"]
    assert list(rig.board) == [0, 0]
    assert list((rig.folder / "app-events" / "0").glob("*.log")) == []


async def test_what_comes_during_the_last_batch_goes_to_kafka_behind_it(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    await rig.answered("a")
    lane = rig.spool._lanes[0]
    await until(lambda: lane.gate.is_gated, what="a gate before the last batch")
    rig.append("b")
    assert "b" not in rig.answers

    rig.kafka.is_up = True
    rig.kafka.take()

    assert await rig.answered("b") == [DIRECT]
    assert rig.kafka.texts == ["a"]


async def test_what_is_held_back_for_long_goes_behind_the_log(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    await rig.answered("a")
    await until(lambda: rig.spool._lanes[0].gate.is_gated, what="a gate before the last batch")
    rig.append("b")

    assert await rig.answered("b") == [STORED]


async def test_another_process_takes_over_what_lies_there(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    rig.append("b", lane=1, is_trip=True)
    await rig.answered("a", "b")
    await rig.end()
    rig.kafka = FakeKafka()
    rig.board = bytearray(2)

    await rig.start()

    assert list(rig.board) == [1, 1]
    await until(lambda: list(rig.board) == [0, 0], what="drained lanes")
    assert sorted(rig.kafka.texts) == ["a", "b"]


async def test_a_batch_that_kafka_refuses_is_tried_again(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    await rig.answered("a")
    await until(lambda: rig.kafka._waiting != [], what="a batch on its way")

    rig.kafka.refuse()
    rig.kafka.is_up = True

    await until(lambda: not rig.spool.holds(0), what="a drained lane")
    assert rig.kafka.texts == ["a"]


async def test_beyond_its_bytes_it_stores_nothing_and_says_so(rig: Rig) -> None:
    await rig.start(max_bytes=200)
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    assert rig.spool.unready_reason() is None
    await rig.answered("a")

    rig.append("b" * 200)

    (answer,) = await rig.answered("b" * 200)
    assert answer == SpoolAnswer(Fate.FAILED, "the spool is full")
    rig.append("c")
    assert await rig.answered("c") == [STORED]


async def test_with_too_little_free_space_it_is_not_used(rig: Rig) -> None:
    await rig.start(min_free_bytes=10**18)

    rig.append("a", is_trip=True)

    reason = "the spool's disk has too little free space"
    assert rig.answers["a"] == SpoolAnswer(Fate.FAILED, reason)
    assert rig.spool.unready_reason() == reason
    assert list(rig.board) == [0, 0]


async def test_a_disk_that_fails_acknowledges_nothing_and_loses_nothing(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    await rig.answered("a")
    with files_end_at(100):
        rig.append("b" * 100)
        (answer,) = await rig.answered("b" * 100)
    assert answer.fate is Fate.FAILED
    assert "File too large" in answer.reason
    rig.append("c")
    assert rig.answers["c"].fate is Fate.FAILED  # the lane is left alone for a while
    await rig.end()
    rig.kafka = FakeKafka()

    await rig.start()

    await until(lambda: not rig.spool.holds(0), what="a drained lane")
    assert rig.kafka.texts == ["a"]


async def test_a_second_gateway_on_the_same_folder_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "LOCK_SECONDS", 0.2)
    await rig.start()

    with pytest.raises(SpoolError, match="another gateway keeps its spool here"):
        await rig.start()


async def test_a_log_of_a_lane_that_is_none_is_not_left_behind(rig: Rig) -> None:
    stray = rig.folder / "app-events" / "7" / f"{0:020}.log"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"")

    with pytest.raises(SpoolError, match="was the number of partitions changed"):
        await rig.start()


async def test_people_see_what_waits(rig: Rig) -> None:
    await rig.start()
    rig.kafka.is_up = False
    rig.append("a", is_trip=True)
    await rig.answered("a")

    metrics = rig.metrics
    await until(lambda: metrics.spool_bytes._value.get() > 0, what="bytes")
    assert metrics.spool_lanes._value.get() == 1
    assert metrics.spool_trips._value.get() == 1
    assert metrics.spool_entries.labels("stored")._value.get() == 1
