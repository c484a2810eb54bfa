"""Replay on real engines: the tables rebuilt under load, and the replayer killed at each step.

The oracle is the log, as for the sink itself, and what the named queries answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

import pytest

from gateway.runtime import FOUND_WRONG, GOOD
from sinks.clickhouse.shadow import SHADOW
from sinks.clickhouse.shadow_rows import Compared, ShadowRows
from sinks.rebuild.replay import NotSwapped, Replay
from sinks.rebuild.units import Source, Unit
from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.replay_rig import ROOMY, KillAt, Load, ReplayRig
from tests.exactness import assert_exact, produce
from tests.histories import event
from tests.kafka import KafkaUnderTest, wait_until
from tests.stored import StoredChunk

pytestmark = pytest.mark.timeout(400)  # minutes where the machine is busy


@pytest.fixture(scope="module")
def rig(own_kafka: KafkaUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplayRig]:
    folder = tmp_path_factory.mktemp("replay")
    clickhouse = ClickHouseUnderTest(folder / "clickhouse")
    clickhouse.start()
    clickhouse.migrate()
    under_test = ReplayRig(own_kafka, clickhouse, folder)
    produce(own_kafka.bootstrap, under_test.settled, seed=1, count=600)
    under_test.start("one", **ROOMY)
    under_test.wait_idle()
    yield under_test
    under_test.close()
    clickhouse.stop()


@pytest.fixture(autouse=True)
def _nothing_left(rig: ReplayRig) -> Iterator[None]:
    """What a test that failed has left is not in the next one's way."""
    yield
    if rig.leftovers():
        rig.replay("--discard")


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
    assert rig.leftovers() == 0

    rig.lose_offsets()  # and a chunk from before the swap is repeated after it

    rig.assert_exact()


# Statements of a replay at which it is killed, before or after each is done; the next one goes on.
STEPS = {
    "while tables are made": KillAt("CREATE MATERIALIZED VIEW", is_done=True),
    "tables made, nobody knows": KillAt("replay_tables (", is_done=False),
    "announced, nothing written": KillAt("replay_units (", is_done=True),
    "in the first chunk": KillAt("telemetry_replay.events", is_done=True),
    "in the third": KillAt("telemetry_replay.events", is_done=False, number=3),
    "in its pause, before the swap": KillAt("EXCHANGE TABLES", is_done=False),
    "after the swap": KillAt("EXCHANGE TABLES", is_done=True),
    "while the old ones are dropped": KillAt("DROP DATABASE", is_done=False),
}


def test_a_killed_replay_harms_nothing_and_is_resumed(rig: ReplayRig) -> None:
    before = rig.answers(rig.settled)
    resume: list[str] = []
    for number, (step, kill) in enumerate(STEPS.items()):
        died = rig.replay(*resume, harm=kill)
        assert (died.returncode, kill.has_killed) == (-9, True), (step, died.stderr)
        produce(rig.kafka.bootstrap, rig.app, seed=200 + number, count=40)
        rig.wait_idle()  # the sink goes on, whatever the dead one had begun
        assert rig.answers(rig.settled) == before, step
        resume = ["--resume"]
    again = rig.replay()
    done = rig.replay("--resume")

    assert (again.returncode, done.returncode) == (FOUND_WRONG, GOOD), done.stderr
    assert "--resume" in again.stderr
    assert rig.answers(rig.settled) == before
    assert rig.leftovers() == 0
    rig.assert_exact()


def test_lost_rows_come_back_rows_of_no_log_stay_and_a_new_view_has_all(rig: ReplayRig) -> None:
    elsewhere, others = f"elsewhere-{uuid4()}", [event(rig.settled) for _ in range(3)]
    rig.store(StoredChunk(events=others, topic=elsewhere, dead=1))
    before = rig.answers(rig.settled)
    of_log = f"app_id = '{rig.settled}' AND kafka_topic = 'app-events'"
    lost = rig.lose_rows(
        f"{of_log} AND kafka_partition ="
        f" (SELECT min(kafka_partition) FROM telemetry.events WHERE {of_log})"
    )
    for statement in NEW_VIEW:
        assert rig.clickhouse.ask(statement) == (200, "")

    done = rig.replay()

    assert lost > 0
    assert done.returncode == GOOD, done.stderr
    assert f", {lost} of them had been missing" in done.stdout
    after = rig.answers(rig.settled)
    for answers in (before, after):  # when lost rows were first stored is lost, too
        del answers["freshness"]
        answers["event_by_id"] = [row[:-1] for row in answers["event_by_id"]]  # its inserted_at
    assert after == before
    kept = (
        "SELECT count(), any(chunk_dead) FROM telemetry.events WHERE kafka_topic = {topic:String}"
    )
    assert rig.clickhouse.rows(kept, topic=elsewhere) == [[3, 1]]
    counts = (
        "SELECT app_version, {} AS n FROM telemetry.{} WHERE app_id = {{app:String}}"
        " GROUP BY app_version ORDER BY 1"
    )
    by_view = rig.clickhouse.rows(counts.format("sum(n)", "by_version"), app=rig.settled)
    by_row = rig.clickhouse.rows(counts.format("count()", "events"), app=rig.settled)
    assert by_view == by_row != []


NEW_VIEW = (
    "CREATE TABLE telemetry.by_version (app_id String, app_version String, n UInt64)"
    " ENGINE = SummingMergeTree ORDER BY (app_id, app_version)"
    " SETTINGS non_replicated_deduplication_window = 10000",
    "CREATE MATERIALIZED VIEW telemetry.by_version_mv TO telemetry.by_version AS"
    " SELECT app_id, app_version, count() AS n FROM telemetry.events GROUP BY app_id, app_version",
)


class Merged(ShadowRows):
    """Looks when merges have healed what they can."""

    async def compare(self, bounds: Mapping[Source, tuple[int, int]]) -> list[Compared]:
        await self._client.command(f"OPTIMIZE TABLE {SHADOW}.events FINAL")
        return await super().compare(bounds)


def test_of_copies_in_two_partitions_another_one_may_stay(rig: ReplayRig) -> None:
    """A careless producer's. The live tables got them as they came, the others by partition."""
    app = f"spread-{uuid4()}"
    sent = rig.record(app_id=app)
    for partition in (7, 2):
        rig.send([sent], partition)
        rig.wait_idle()

    def stays_in() -> list[int]:
        assert rig.clickhouse.ask("OPTIMIZE TABLE telemetry.events FINAL") == (200, "")
        found = "SELECT kafka_partition FROM telemetry.events WHERE app_id = {app:String}"
        return [int(one) for (one,) in rig.clickhouse.rows(found, app=app)]

    before = stays_in()
    asyncio.run(rig.replay_here(Replay, Merged))

    assert (before, stays_in()) == ([2], [7])

    rig.lose_offsets()  # partition 2 repeats the chunk of the row that is not there any more

    assert rig.clickhouse.rows(COUNTED, app=app) == [[2, 0]]
    assert_exact(rig.kafka.bootstrap, rig.clickhouse, rig.app)  # the other has rows of no log


# Events as the sums count them, and chunks whose account is not their number of records.
COUNTED = """
SELECT
    (SELECT sum(events) FROM telemetry.hourly WHERE app_id = {app:String}),
    (SELECT count() FROM (
        SELECT any(chunk_end) - chunk_start AS records FROM telemetry.chunks FINAL
        WHERE kafka_topic = 'app-events' GROUP BY kafka_partition, chunk_start
        HAVING records != sum(inserted + duplicates + dead)))
"""


class NoCopies(ShadowRows):
    """What the log does not have is left out."""

    async def copy(self, units: Sequence[Unit], token: str) -> None:
        pass


def test_control_a_replay_without_the_rows_that_the_log_does_not_have_is_refused(
    rig: ReplayRig,
) -> None:
    rig.store(StoredChunk(events=[event(rig.settled)], topic=f"elsewhere-{uuid4()}"))
    before = rig.uuids()

    with pytest.raises(NotSwapped, match="1 events missing"):
        asyncio.run(rig.replay_here(Replay, NoCopies))

    assert {name: rig.uuids()[name] for name in before} == before
    assert rig.replay("--discard").returncode == GOOD
    assert rig.leftovers() == 0


def test_control_a_swap_without_the_pause_loses_events(rig: ReplayRig) -> None:
    app = f"hasty-{uuid4()}"

    class Hasty(Replay):
        async def _agreed(self, pause_id: str) -> None:
            """Nobody is asked."""

        async def _exchange(self, pause_id: str) -> None:
            """As if no sink had seen the permit, which it would within a second."""
            await self._tools.pauses.end(pause_id)
            await asyncio.to_thread(produce, rig.kafka.bootstrap, app, seed=9, count=40)
            await asyncio.to_thread(rig.wait_idle)
            await self._tools.pauses.begin(pause_id)
            await super()._exchange(pause_id)

    asyncio.run(rig.replay_here(Hasty, ShadowRows))

    with pytest.raises(AssertionError):
        assert_exact(rig.kafka.bootstrap, rig.clickhouse, app)


def test_control_tables_that_do_not_know_of_the_swap_count_a_repeated_chunk_twice(
    rig: ReplayRig,
) -> None:
    done = rig.replay("--from", "2100-01-01")
    assert "; 0 offsets read from the log" in done.stdout
    assert rig.clickhouse.ask("TRUNCATE TABLE telemetry.replays") == (200, "")
    sums = "SELECT (SELECT count() FROM telemetry.events), sum(events) FROM telemetry.hourly"
    ((rows, counted),) = rig.clickhouse.rows(sums)

    rig.lose_offsets()

    ((rows_after, counted_after),) = rig.clickhouse.rows(sums)
    assert int(counted_after) > int(counted)
    assert int(rows_after) - int(rows) <= int(counted_after) - int(counted)
