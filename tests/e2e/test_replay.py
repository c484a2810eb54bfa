"""Replay on real engines: the tables rebuilt under load, and the replayer killed at each step.

The oracle is the log, as for the sink itself, and what the named queries answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime import GOOD
from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.replay_rig import Load, ReplayRig
from tests.exactness import produce
from tests.kafka import KafkaUnderTest, wait_until

# Chunks as large as the load allows: each is some statements of the replay, too.
ROOMY: dict[str, Any] = {"chunk_rows": 1000, "chunk_age_seconds": 1.5}

SHADOW = "SELECT count() FROM system.databases WHERE name = 'telemetry_replay'"


@pytest.fixture
def rig(kafka: KafkaUnderTest, tmp_path: Path) -> Iterator[ReplayRig]:
    clickhouse = ClickHouseUnderTest(tmp_path / "clickhouse")
    clickhouse.start()
    clickhouse.migrate()
    under_test = ReplayRig(kafka, clickhouse, tmp_path)
    produce(kafka.bootstrap, under_test.settled, seed=1, count=600)
    under_test.start("one", **ROOMY)
    under_test.wait_idle()
    yield under_test
    under_test.close()
    clickhouse.stop()


def test_tables_rebuilt_under_load_answer_the_same_and_go_on_exactly(rig: ReplayRig) -> None:
    before, uuids = rig.answers(rig.settled), rig.uuids()
    with Load(rig) as load:
        done = rig.replay()
        rounds = load.rounds
        wait_until(lambda: load.rounds > rounds + 3, what="load after the swap")
    rig.wait_idle()

    assert done.returncode == GOOD, done.stderr
    assert rig.answers(rig.settled) == before
    rig.assert_exact()
    swapped = {name for name, uuid in rig.uuids().items() if uuid != uuids.get(name)}
    assert swapped >= {"events", "chunks", "sessions", "device_days", "hourly", "crash_groups"}
    assert rig.clickhouse.rows(SHADOW) == [["0"]]


# Statements of a replay, and whether it is killed before or after each is done. In its pause the
# sink has to help itself.
STEPS = {
    "while tables are made": KillAt("CREATE MATERIALIZED VIEW", is_done=True),
    "tables made, nobody knows": KillAt("replay_tables (", is_done=False),
    "announced, nothing written": KillAt("replay_units (", is_done=True),
    "in the log's first chunk": KillAt("telemetry_replay.events", is_done=True),
    "in its second": KillAt("telemetry_replay.events", is_done=False, number=2),
    "pause asked for": KillAt("CREATE TABLE telemetry.replay_permit", is_done=True),
    "before the swap": KillAt("EXCHANGE TABLES", is_done=False),
    "after the swap": KillAt("EXCHANGE TABLES", is_done=True),
    "while the old ones are dropped": KillAt("DROP DATABASE", is_done=False),
}


def test_a_killed_replay_harms_nothing_and_is_resumed(rig: ReplayRig) -> None:
    before = rig.answers(rig.settled)
    permits = "SELECT count() FROM system.tables WHERE startsWith(name, 'replay_permit')"
    for step, kill in STEPS.items():
        died = rig.replay(harm=kill)
        assert (died.returncode, kill.has_killed) == (-9, True), (step, died.stderr)
        produce(rig.kafka.bootstrap, rig.app, seed=hash(step) % 1000, count=40)
        rig.wait_idle()  # the sink goes on, whatever the dead one had begun
        assert rig.answers(rig.settled) == before, step

        again = rig.replay()
        done = rig.replay("--resume")

        assert "--resume" in again.stderr, step
        assert (again.returncode, done.returncode) == (FOUND_WRONG, GOOD), (step, done.stderr)
        assert rig.answers(rig.settled) == before, step
        assert rig.clickhouse.rows(SHADOW) == rig.clickhouse.rows(permits) == [["0"]]
    rig.assert_exact()
