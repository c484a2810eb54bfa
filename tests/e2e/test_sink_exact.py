"""Exactly once, on real engines: the sink killed and frozen in every window around its insert.

The oracle is the log read back. Each mechanism has a control in `test_sink_exact_controls` that
breaks it, and there the same faults do store events twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.exact_rig import EVENTS, WINDOWS, ExactRig, Kill
from tests.e2e.zombie import wake_a_zombie
from tests.exactness import produce
from tests.kafka import KafkaUnderTest, wait_until
from tests.proxy import Dropped, Harm, Insert


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[ExactRig]:
    under_test = ExactRig(kafka, clickhouse, tmp_path)
    yield under_test
    under_test.close()


@pytest.mark.parametrize("window", WINDOWS)
def test_a_killed_sink_stores_each_event_once(rig: ExactRig, window: str) -> None:
    produce(rig.kafka.bootstrap, rig.app, seed=WINDOWS.index(window))
    rig.proxy.harm = Kill(rig, window, lives=3)

    rig.live_and_die(lives=3)

    rig.assert_exact()


class KillInRecovery(Harm):
    """Kills every sink but the fourth when its first insert is stored."""

    def __init__(self, rig: ExactRig) -> None:
        self._rig = rig
        self.tokens: list[str] = []

    def after(self, insert: Insert) -> None:
        process = self._rig.sinks[-1]
        if insert.table == EVENTS and len(self._rig.sinks) <= 3:
            if not process.is_dead():
                self.tokens.append(insert.token)
                process.kill()
            raise Dropped("in recovery")


def test_a_sink_killed_in_its_recovery_stores_each_event_once(rig: ExactRig) -> None:
    produce(rig.kafka.bootstrap, rig.app, seed=11, count=600)
    rig.proxy.harm = KillInRecovery(rig)

    rig.live_and_die(lives=3)

    seen = rig.proxy.tokens
    assert max(seen.count(token) for token in seen) >= 2  # announced chunks were repeated
    rig.assert_exact()


class Late(Harm):
    """Holds one insert back; its sink is killed meanwhile."""

    def __init__(self, rig: ExactRig) -> None:
        self._rig = rig
        self._inserts = 0
        self.is_held = threading.Event()
        self.release = threading.Event()

    def before(self, insert: Insert) -> None:
        self._inserts += insert.table == EVENTS
        if self._inserts == 3 and not self.is_held.is_set():
            self._rig.sinks[0].kill()
            self.is_held.set()
            self.release.wait(60)


def test_an_insert_that_arrives_after_its_sinks_successor_changes_nothing(rig: ExactRig) -> None:
    produce(rig.kafka.bootstrap, rig.app, seed=12, count=600)
    rig.proxy.harm = late = Late(rig)
    answered = rig.proxy.answered
    rig.start("one")
    wait_until(late.is_held.is_set, 60, "the held insert")
    rig.start("one")
    rig.wait_idle()

    late.release.set()
    wait_until(lambda: rig.proxy.answered > answered, 30, "the late insert's answer")

    rig.assert_exact()


def test_a_thawed_owner_cannot_store_what_its_successor_has_stored(rig: ExactRig) -> None:
    wake_a_zombie(rig, "sinks")

    rig.wait_idle()
    rig.assert_exact()


class Outage(Harm):
    """ClickHouse refuses every insert while it lasts."""

    def __init__(self) -> None:
        self.is_down = True
        self.refused = 0

    def refuses(self, insert: Insert) -> bool:
        self.refused += self.is_down
        return self.is_down


def test_an_outage_of_clickhouse_is_waited_out(rig: ExactRig) -> None:
    process = rig.start("one")
    process.wait_ready()
    rig.wait_idle()
    rig.proxy.harm = outage = Outage()
    produce(rig.kafka.bootstrap, rig.app, seed=13, count=800)
    wait_until(lambda: outage.refused > 20, 60, "refused inserts")

    outage.is_down = False
    rig.wait_idle()

    assert not process.is_dead()
    assert process.log_file.read_text().count("assigned") == 1  # it stayed in the group
    rig.assert_exact()


def test_a_sink_told_to_stop_drains_and_the_next_one_repeats_nothing(rig: ExactRig) -> None:
    first = rig.start("one", chunk_age_seconds=30, chunk_rows=10_000)
    first.wait_ready()
    rig.send([rig.record()], partition=1)
    wait_until(lambda: "chunk end" in first.log_file.read_text(), 30, "its recovery")
    produce(rig.kafka.bootstrap, rig.app, seed=14, count=500, poison=False)

    code = first.stop()
    tokens = list(rig.proxy.tokens)
    rig.start("one").wait_ready()
    rig.wait_idle()

    assert code == 0
    assert set(tokens).isdisjoint(rig.proxy.tokens[len(tokens) :])
    rig.assert_exact()


def test_a_group_that_lost_its_offsets_goes_on_from_the_rows(rig: ExactRig) -> None:
    produce(rig.kafka.bootstrap, rig.app, seed=15, count=600)
    rig.proxy.harm = Kill(rig, "inserted, the answer unheard", lives=1)
    wait_until(rig.start_life(0).is_dead, 60, "the sink's death")

    rig.group = f"sink-{uuid4()}"
    rig.start_life(1)
    rig.wait_idle()

    rig.assert_exact()
