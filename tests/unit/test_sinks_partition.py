"""The order of commits and inserts: announced, stored, acknowledged; nothing after a fence."""

from __future__ import annotations

import asyncio

import pytest

from sinks.buffer import CutRule
from sinks.intent import IDLE, Fenced, intent_metadata
from sinks.retry import Interrupted
from sinks.sink import Block, Retryable
from tests.fakes_sink import PLACE, FakeOffsets, make_chunk, make_polled, make_rows
from tests.partition_bench import NEVER, Bench, feed, running, until


async def test_a_chunk_is_announced_stored_and_acknowledged_at_once_when_nothing_waits() -> None:
    bench = Bench()
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 0, 3)
        await until(lambda: len(bench.offsets.commits) == 2)

        assert bench.offsets.commits == [(0, intent_metadata(3)), (3, IDLE)]
        assert bench.sink.offsets == [0, 1, 2]


async def test_the_next_intent_acknowledges_the_chunk_before() -> None:
    bench = Bench()
    partition = bench.partition(CutRule(rows=2, bytes=1 << 30, age_seconds=3600))

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 0, 5)
        await until(lambda: len(bench.sink.offsets) == 4)

    assert bench.offsets.commits == [
        (0, intent_metadata(2)),
        (2, intent_metadata(4)),
        (4, intent_metadata(5)),
        (5, IDLE),
        (5, IDLE),
    ]


async def test_nothing_is_inserted_when_the_intent_is_refused() -> None:
    bench = Bench()
    bench.offsets.fence_at = 0
    partition = bench.partition()

    async with running(partition) as task:
        await until(lambda: partition.is_ready)
        feed(partition, 0, 3)
        with pytest.raises(Fenced):
            await task

    assert bench.sink.blocks == []
    assert bench.pending() == 0
    assert bench.memory.used_bytes == 0
    assert bench.pace.holding == set()


async def test_a_stop_stores_what_is_held_and_leaves_a_clean_commit() -> None:
    bench = Bench()
    partition = bench.partition(NEVER)

    async with running(partition) as task:
        await until(lambda: partition.is_ready)
        feed(partition, 0, 3)
        partition.stop(flush=True)
        await task

    assert bench.sink.offsets == [0, 1, 2]
    assert bench.offsets.commits[-1] == (3, IDLE)


async def test_a_revocation_gives_back_what_is_not_announced() -> None:
    bench = Bench()
    partition = bench.partition(NEVER)

    async with running(partition) as task:
        await until(lambda: partition.is_ready)
        feed(partition, 0, 3)
        partition.stop(flush=False)
        await task

    assert bench.sink.blocks == []
    assert bench.offsets.commits == [(0, IDLE)]
    assert bench.pending() == 0


async def test_an_interrupted_chunk_is_not_acknowledged() -> None:
    bench = Bench()
    bench.sink.fail_next = [Retryable("down")]
    partition = bench.partition(NEVER)

    async with running(partition) as task:
        await until(lambda: partition.is_ready)
        feed(partition, 0, 3)
        partition.stop(flush=True)
        with pytest.raises(Interrupted):
            await task

    assert bench.offsets.commits == [(0, intent_metadata(3))]


async def test_an_announced_chunk_is_repeated_with_its_old_bounds() -> None:
    bench = Bench(FakeOffsets(4, intent_metadata(9)))
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 4, 12)  # more than the chunk
        await until(lambda: len(bench.sink.offsets) == 8)

    assert bench.log.sought == [4]
    assert [(one.chunk.start, one.chunk.end) for one in bench.sink.blocks] == [(4, 9), (9, 12)]


async def test_a_repeated_chunk_is_the_same_block_although_its_rows_are_stored() -> None:
    bench = Bench()
    bench.offsets.fence_at = 1  # the intent passes, the acknowledgement does not
    async with running(first := bench.partition()):
        await until(lambda: first.is_ready)
        first.add([make_polled(0, 7), make_polled(1, 8), make_polled(2, 7)])
        await until(lambda: bool(bench.sink.blocks))
    bench.offsets.fence_at = None

    async with running(second := bench.partition()):
        await until(lambda: second.is_ready)
        second.add([make_polled(0, 7), make_polled(1, 8), make_polled(2, 7)])
        await until(lambda: len(bench.sink.blocks) == 2)

    assert bench.sink.blocks[0] == bench.sink.blocks[1]


async def test_a_chunk_known_from_the_rows_is_announced_before_it_is_repeated() -> None:
    bench = Bench()
    await bench.insert(4, 9)
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)

        assert bench.offsets.commits == [(4, intent_metadata(9))]

        feed(partition, 4, 9)
        await until(lambda: bench.offsets.commits[-1] == (9, IDLE))

    assert bench.sink.offsets == [4, 5, 6, 7, 8]


async def test_an_old_chunk_is_completed_not_repeated() -> None:
    bench = Bench(FakeOffsets(4, intent_metadata(9)))
    bench.ledger.age_seconds = 3600
    torn = make_chunk(4, 9)
    rows = make_rows((one, one) for one in (4, 5, 8))
    await bench.sink.write(Block(torn, rows, {}, torn.token))
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 4, 9)
        await until(lambda: partition.position == 9)

    assert sorted(bench.sink.offsets) == [4, 5, 6, 7, 8]


async def test_rows_of_an_old_chunk_that_were_forgotten_are_not_stored_again() -> None:
    bench = Bench(FakeOffsets(4, intent_metadata(9)))
    bench.ledger.age_seconds = 3600
    torn = make_chunk(4, 9)
    await bench.sink.write(Block(torn, make_rows([(4, 4)]), {}, torn.token))
    bench.ledger.gone = {5, 8}
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 4, 9)
        await until(lambda: partition.position == 9)

    assert sorted(bench.sink.offsets) == [4, 6, 7]


async def test_recovery_waits_for_a_clickhouse_that_is_down() -> None:
    bench = Bench()
    bench.ledger.fail_next = 5
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)

    assert bench.offsets.commits == [(0, IDLE)]


async def test_a_stop_ends_a_recovery_without_a_commit() -> None:
    bench = Bench()
    bench.ledger.fail_next = 1_000_000
    partition = bench.partition()

    async with running(partition) as task:
        await asyncio.sleep(0)
        partition.stop(flush=True)
        with pytest.raises(Interrupted):
            await task

    assert bench.offsets.commits == []


async def test_a_full_partition_is_not_fetched_but_an_old_chunk_is_read_whole() -> None:
    bench = Bench(FakeOffsets(0, intent_metadata(9)))
    bench.memory.used_bytes = 1 << 40
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        in_replay = partition.is_full
        feed(partition, 0, 9)
        await until(lambda: partition.position == 9)

        assert not in_replay
        assert partition.is_full


async def test_a_partition_with_a_chunk_ready_is_full() -> None:
    bench = Bench()
    partition = bench.partition(CutRule(rows=2, bytes=1 << 30, age_seconds=3600))

    feed(partition, 0, 2)

    assert partition.is_full


async def test_offsets_that_kafka_skips_are_counted_as_lost() -> None:
    bench = Bench()
    partition = bench.partition()

    async with running(partition):
        await until(lambda: partition.is_ready)
        feed(partition, 10, 12)

    lost = bench.metrics.registry.get_sample_value(
        "telemetry_sink_lost_offsets_total", {"topic": PLACE.topic}
    )
    assert lost == 10
