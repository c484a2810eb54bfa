"""The sink's rest at a chunk boundary: agreed in its commit, over when the permit is gone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.intent import IDLE, parse_metadata, paused_by, paused_metadata
from sinks.pause import LEASE_SECONDS, Gate, Pause
from sinks.retry import Interrupted
from tests.fakes_sink import FakeOffsets, FakePauses, make_polled
from tests.kafka import until
from tests.partition_bench import Bench

YOUNG, OLD = Pause("p-1", 0.0), Pause("p-1", LEASE_SECONDS)


@given(st.text(max_size=40))
def test_a_pause_in_a_commit_is_read_back_and_is_nothing_in_flight(pause_id: str) -> None:
    metadata = paused_metadata(pause_id)

    assert paused_by(metadata) == pause_id
    committed = parse_metadata(7, metadata)
    assert (committed.offset, committed.end, committed.is_ours) == (7, None, True)


@pytest.mark.parametrize(
    "metadata", [None, "", IDLE, '{"v":2,"paused":"p"}', '{"v":1,"paused":3}', "[]"]
)
def test_other_commits_agree_to_nothing(metadata: str | None) -> None:
    assert paused_by(metadata) is None


async def test_a_partition_rests_from_the_chunks_end_until_the_pause_is_over() -> None:
    bench = Bench()
    part = bench.partition()
    task = asyncio.create_task(part.run())
    await until(lambda: part.is_ready)
    part.add([make_polled(0)])
    await until(lambda: part.position == 1)

    bench.pauses.now = YOUNG
    await bench.gate.look()
    await until(lambda: bench.offsets.commits[-1] == (1, paused_metadata("p-1")))
    part.add([make_polled(1)])
    assert not task.done()
    assert bench.sink.offsets == [0]

    bench.pauses.now = None
    await bench.gate.look()
    await until(lambda: bench.sink.offsets == [0, 1])
    part.stop(flush=True)
    await task
    assert bench.offsets.commits[-1] == (2, IDLE)


async def test_an_owner_that_comes_into_a_pause_rests_before_its_first_chunk() -> None:
    bench = Bench(FakeOffsets(5, paused_metadata("p-1")))
    bench.pauses.now = YOUNG  # nobody has looked yet
    part = bench.partition()
    task = asyncio.create_task(part.run())
    await until(lambda: part.is_ready)
    part.add([make_polled(5)])
    await until(lambda: bench.offsets.commits == [(5, paused_metadata("p-1"))])
    assert bench.sink.blocks == []

    part.stop(flush=True)
    with pytest.raises(Interrupted):
        await task
    assert bench.sink.blocks == []


async def test_a_pause_beyond_its_time_is_taken_away_before_the_sink_goes_on() -> None:
    pauses = FakePauses()
    gate = Gate(pauses)
    pauses.now = YOUNG
    await gate.look()
    assert (gate.pause, pauses.ended) == ("p-1", [])

    pauses.now = OLD
    await gate.look()

    assert (gate.pause, pauses.ended) == (None, ["p-1"])
