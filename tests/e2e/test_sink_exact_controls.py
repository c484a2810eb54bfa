"""The controls of `test_sink_exact`: one mechanism broken each, and the same faults do harm.

They spoil what they touch, so they have a ClickHouse of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.exact_rig import ExactRig, NoDeduplication
from tests.e2e.zombie import wake_a_zombie
from tests.exactness import produce
from tests.kafka import KafkaUnderTest


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    engine = ClickHouseUnderTest(tmp_path_factory.mktemp("spoilt-clickhouse"))
    engine.start()
    engine.migrate()
    yield engine
    assert engine.stop() == 0


@pytest.fixture
def rig(kafka: KafkaUnderTest, spoilt: ClickHouseUnderTest, tmp_path: Path) -> Iterator[ExactRig]:
    under_test = ExactRig(kafka, spoilt, tmp_path)
    under_test.start("one", chunk_rows=1000)  # what other tests left in the log
    under_test.wait_idle()
    under_test.sinks[0].stop()
    yield under_test
    under_test.close()


def test_without_deduplication_a_kill_stores_events_twice(rig: ExactRig) -> None:
    produce(rig.kafka.bootstrap, rig.app, seed=1)
    rig.proxy.harm = NoDeduplication(rig, "inserted, the answer unheard", lives=3)

    rig.live_and_die(lives=3)

    assert rig.surplus() > 0
    with pytest.raises(AssertionError):
        rig.assert_exact()


def test_with_plain_commits_a_thawed_owner_stores_events_twice(rig: ExactRig) -> None:
    wake_a_zombie(rig, "tests.e2e.plain_commit_sink")

    assert rig.surplus() > 0
    with pytest.raises(AssertionError):
        rig.assert_exact()
