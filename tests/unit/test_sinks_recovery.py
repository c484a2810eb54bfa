"""Where a partition goes on, for every state in which Kafka and ClickHouse can find themselves."""

from __future__ import annotations

import pytest

from sinks.intent import Committed
from sinks.metrics import Metrics
from sinks.recovery import Recovery, Resume
from sinks.sink import Block, Misconfigured, StoredChunk
from tests.fakes_sink import (
    CLUSTER,
    PLACE,
    FakeLedger,
    FakeLog,
    FakeSink,
    event_id,
    make_chunk,
    make_rows,
)

TOKEN_SECONDS = 600.0
NOBODY = Committed(-1, None, is_ours=False)


class Bench:
    """A recovery over fakes: a log [0, 100), no rows."""

    def __init__(self) -> None:
        self.sink = FakeSink()
        self.ledger = FakeLedger(self.sink)
        self.log = FakeLog(end=100)
        self.metrics = Metrics()
        self.recovery = Recovery(self.ledger, self.log, CLUSTER, TOKEN_SECONDS, self.metrics)

    async def resume(self, committed: Committed) -> Resume:
        return await self.recovery.resume_at(PLACE, committed)

    async def insert(self, start: int, end: int) -> None:
        chunk = make_chunk(start, end)
        rows = make_rows((one, one) for one in range(start, end))
        await self.sink.write(Block(chunk, rows, {}, chunk.token))
        self.ledger.newest_chunk = StoredChunk(start, end, self.ledger.age_seconds)

    def count(self, name: str) -> float:
        labels = {"topic": PLACE.topic} if "views" not in name else {}
        value = self.metrics.registry.get_sample_value(f"telemetry_sink_{name}_total", labels)
        return value or 0.0


async def test_a_first_start_begins_at_the_logs_beginning() -> None:
    assert await Bench().resume(NOBODY) == Resume(0, None)


async def test_a_first_start_on_an_old_log_has_lost_nothing() -> None:
    bench = Bench()
    bench.log.first = 40

    assert await bench.resume(NOBODY) == Resume(40, None)
    assert bench.count("lost_offsets") == 0


async def test_our_idle_commit_is_taken_at_its_word() -> None:
    bench = Bench()
    await bench.insert(0, 50)

    assert await bench.resume(Committed(50, None, is_ours=True)) == Resume(50, None)
    assert bench.count("missing_chunks") == 0


async def test_an_announced_chunk_is_stored_again_whether_or_not_it_was_inserted() -> None:
    bench = Bench()
    committed = Committed(0, 20, is_ours=True)

    before = await bench.resume(committed)
    await bench.insert(0, 20)
    after = await bench.resume(committed)

    assert before == after == Resume(0, 20)


async def test_without_our_metadata_the_newest_stored_chunk_is_stored_again() -> None:
    bench = Bench()
    await bench.insert(20, 30)

    assert await bench.resume(NOBODY) == Resume(20, 30)
    assert await bench.resume(Committed(25, None, is_ours=False)) == Resume(20, 30)


async def test_somebody_elses_commit_beyond_the_rows_is_followed() -> None:
    bench = Bench()
    await bench.insert(20, 30)

    assert await bench.resume(Committed(30, None, is_ours=False)) == Resume(30, None)
    assert await bench.resume(Committed(70, None, is_ours=False)) == Resume(70, None)


async def test_a_chunk_whose_token_may_be_forgotten_is_only_completed() -> None:
    bench = Bench()
    bench.ledger.age_seconds = TOKEN_SECONDS + 1
    await bench.insert(0, 20)

    assert await bench.resume(Committed(0, 20, is_ours=True)) == Resume(0, 20, is_old=True)
    assert bench.count("views_may_lack_chunk") == 1


async def test_an_old_intent_without_rows_is_stored_as_announced() -> None:
    bench = Bench()
    bench.ledger.age_seconds = TOKEN_SECONDS + 1

    assert await bench.resume(Committed(0, 20, is_ours=True)) == Resume(0, 20)


async def test_a_stored_chunk_that_kafka_has_deleted_is_passed() -> None:
    bench = Bench()
    await bench.insert(0, 20)
    bench.log.first = 10

    assert await bench.resume(Committed(0, 20, is_ours=True)) == Resume(20, None)
    assert bench.count("lost_offsets") == 0


async def test_the_rest_of_a_chunk_that_kafka_deletes_unstored_is_a_chunk_of_its_own() -> None:
    bench = Bench()
    bench.log.first = 10

    assert await bench.resume(Committed(0, 20, is_ours=True)) == Resume(10, None)
    assert bench.count("lost_offsets") == 10


async def test_what_kafka_deleted_before_it_was_stored_is_counted() -> None:
    bench = Bench()
    bench.log.first = 60

    assert await bench.resume(Committed(50, None, is_ours=True)) == Resume(60, None)
    assert bench.count("lost_offsets") == 10


async def test_tables_that_lack_acknowledged_chunks_are_told() -> None:
    bench = Bench()
    await bench.insert(0, 20)

    assert await bench.resume(Committed(50, None, is_ours=True)) == Resume(50, None)
    assert bench.count("missing_chunks") == 1


async def test_rows_beyond_the_logs_end_refuse_to_start() -> None:
    bench = Bench()
    bench.ledger.last = (100, event_id(100))

    with pytest.raises(Misconfigured, match=r"app-events-3: ClickHouse holds offset 100.*anew"):
        await bench.resume(NOBODY)


async def test_another_event_at_the_last_rows_offset_refuses_to_start() -> None:
    bench = Bench()
    bench.ledger.last = (40, event_id(40))
    bench.log.event_ids[40] = event_id(41)

    with pytest.raises(Misconfigured, match="another event than its row"):
        await bench.resume(NOBODY)


async def test_the_same_event_at_the_last_rows_offset_is_the_same_log() -> None:
    bench = Bench()
    bench.ledger.last = (40, event_id(0xABC))
    bench.log.event_ids[40] = event_id(0xABC).upper()

    assert await bench.resume(NOBODY) == Resume(0, None)


async def test_a_last_row_that_kafka_has_deleted_proves_nothing() -> None:
    bench = Bench()
    bench.ledger.last = (40, event_id(40))
    bench.log.first = 50

    assert await bench.resume(NOBODY) == Resume(50, None)


async def test_a_broker_wiped_under_a_running_sink_stops_it() -> None:
    bench = Bench()
    bench.log.cluster_id = "another"

    with pytest.raises(Misconfigured, match=f"was {CLUSTER} .* is another now: start"):
        await bench.resume(NOBODY)
