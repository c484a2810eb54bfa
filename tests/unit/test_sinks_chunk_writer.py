"""One chunk's records each have one outcome, in the order that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.brake import Brake
from sinks.chunk_writer import ChunkWriter
from sinks.metrics import Metrics
from sinks.retry import Interrupted
from sinks.rows import read_event
from sinks.sink import Block, Misconfigured, Polled, Retryable, Tally, Unwritable
from sinks.window import IdWindow
from tests.fakes_sink import FakeGraveyard, FakeSink, make_chunk, make_patience, make_polled

HOUR = 1_795_497_600_000 // 3_600_000
REFUSED: dict[str, Any] = {"crash_reason": "only the engine refuses"}


class Bench:
    """A writer over fakes."""

    def __init__(self, brake: Brake | None = None) -> None:
        self.sink = FakeSink()
        self.graveyard = FakeGraveyard()
        self.metrics = Metrics()
        self.patience = make_patience()
        self.window = IdWindow(1000)
        self.writer = ChunkWriter(
            read_event,
            self.sink,
            self.graveyard,
            brake or Brake(dead_letters=100, percent=1.0),
            self.metrics,
            self.patience,
        )

    async def store(self, records: Sequence[Polled], stored: set[int] | None = None) -> None:
        chunk = make_chunk(records[0].offset, records[-1].offset + 1)
        await self.writer.store(chunk, records, self.window, stored)

    def tallies(self) -> dict[tuple[str, int], Tally]:
        return dict(self.sink.blocks[-1].tallies)


async def test_good_rows_are_inserted_under_the_chunks_token() -> None:
    bench = Bench()

    await bench.store([make_polled(7), make_polled(8)])

    assert bench.sink.offsets == [7, 8]
    assert {token for token, _ in bench.sink.rows} == {"cluster-1:app-events:3:7-9"}
    assert bench.tallies() == {("demo", HOUR): Tally(inserted=2)}


async def test_a_bad_record_is_buried_before_its_neighbours_are_inserted() -> None:
    bench = Bench()
    bench.sink.fail_next = [Misconfigured("told to")]

    with pytest.raises(Misconfigured):
        await bench.store([make_polled(7), make_polled(8, sequence=-1)])

    assert bench.graveyard.offsets == [8]
    assert bench.sink.offsets == []


async def test_a_row_that_only_the_engine_refuses_costs_its_neighbours_nothing() -> None:
    bench = Bench()

    await bench.store([make_polled(7), make_polled(8, **REFUSED), make_polled(9)])

    assert bench.sink.offsets == [7, 9]
    assert bench.graveyard.offsets == [8]
    assert bench.tallies() == {("demo", HOUR): Tally(inserted=2, dead=1)}


async def test_a_refused_first_copy_does_not_shadow_its_good_second_one() -> None:
    bench = Bench()

    await bench.store([make_polled(7, number=1, **REFUSED), make_polled(8, number=1)])

    assert bench.sink.offsets == [8]
    assert bench.graveyard.offsets == [7]


async def test_each_refused_copy_is_buried_once() -> None:
    bench = Bench()
    copies = [make_polled(offset, number=1, **REFUSED) for offset in (7, 8, 9)]

    await bench.store(copies)

    assert bench.graveyard.offsets == [7, 8, 9]
    assert bench.sink.offsets == []


async def test_a_block_refused_without_a_bad_row_stops_the_sink_and_buries_nothing() -> None:
    bench = Bench()
    bench.sink.fail_next = [Unwritable("told to")]

    with pytest.raises(Misconfigured, match="none of its rows"):
        await bench.store([make_polled(7)])

    assert bench.graveyard.offsets == []


async def test_a_flood_of_bad_records_stops_the_sink_before_the_first_letter() -> None:
    bench = Bench(Brake(dead_letters=3, percent=1.0))

    with pytest.raises(Misconfigured, match="3 records in a row"):
        await bench.store([make_polled(offset, sequence=-1) for offset in (7, 8, 9)])

    assert bench.graveyard.offsets == []
    assert bench.sink.blocks == []


async def test_a_flood_that_only_the_engine_sees_stops_it_too() -> None:
    bench = Bench(Brake(dead_letters=3, percent=1.0))

    with pytest.raises(Misconfigured, match="3 records in a row"):
        await bench.store([make_polled(offset, **REFUSED) for offset in (7, 8, 9)])

    assert bench.graveyard.offsets == []


async def test_what_clickhouse_cannot_take_now_is_the_same_block_again() -> None:
    bench = Bench()
    bench.sink.fail_next = [Retryable("later", "241"), Retryable("later", "241")]

    await bench.store([make_polled(7), make_polled(8, sequence=-1)])

    first, *others = bench.sink.blocks
    assert others == [first, first]
    assert bench.graveyard.offsets == [8]
    retries = bench.metrics.registry.get_sample_value(
        "telemetry_sink_insert_retries_total", {"code": "241"}
    )
    assert retries == 2


async def test_a_stop_ends_the_tries() -> None:
    bench = Bench()
    bench.sink.fail_next = [Retryable("later")]
    bench.patience.stop()

    with pytest.raises(Interrupted):
        await bench.store([make_polled(7)])

    assert len(bench.sink.blocks) == 1


async def test_a_chunk_that_was_not_inserted_leaves_no_trace_in_the_window() -> None:
    bench = Bench()
    bench.sink.fail_next = [Misconfigured("told to")]
    with pytest.raises(Misconfigured):
        await bench.store([make_polled(7, number=1)])

    await bench.store([make_polled(8, number=1)])

    assert bench.sink.offsets == [8]


async def test_of_an_old_chunk_only_what_is_missing_is_written_under_a_token_of_its_own() -> None:
    bench = Bench()
    records = [make_polled(offset) for offset in (7, 8, 9)]

    await bench.store(records, stored={7, 9})

    written = [(token, row.offset) for token, row in bench.sink.rows]
    assert written == [("cluster-1:app-events:3:7-10:late", 8)]
    assert bench.tallies() == {("demo", HOUR): Tally(inserted=3)}


Kinds = st.lists(st.sampled_from(["good", "bad", "refused", "copy"]), min_size=1, max_size=30)


def _record(offset: int, kind: str) -> Polled:
    if kind == "bad":
        return make_polled(offset, sequence=-1)
    if kind == "refused":
        return make_polled(offset, number=offset + 1, **REFUSED)
    return make_polled(offset, number=0 if kind == "copy" else offset + 1)


@given(Kinds)
def test_every_record_has_exactly_one_outcome(kinds: list[str]) -> None:
    bench = Bench(Brake(dead_letters=1000, percent=100))
    records = [_record(offset, kind) for offset, kind in enumerate(kinds)]

    asyncio.run(bench.store(records))

    tallies = bench.tallies().values()
    dead = [offset for offset, kind in enumerate(kinds) if kind in ("bad", "refused")]
    assert sorted(bench.graveyard.offsets) == dead
    assert sum(one.inserted for one in tallies) == len(bench.sink.offsets)
    assert sum(one.inserted + one.duplicates + one.dead for one in tallies) == len(records)


@given(Kinds)
def test_the_same_chunk_again_is_the_same_block_again(kinds: list[str]) -> None:
    bench = Bench(Brake(dead_letters=1000, percent=100))
    records = [_record(offset, kind) for offset, kind in enumerate(kinds)]

    asyncio.run(bench.store(records))
    first, rows = bench.sink.blocks[-1], list(bench.sink.rows)
    bench.window = IdWindow(1000)  # as a restart fills it: from the rows before the chunk
    asyncio.run(bench.store(records))

    assert bench.sink.blocks[-1] == first
    assert bench.sink.rows == rows


async def test_a_chunk_that_the_store_does_not_take_is_told_until_it_is_stored() -> None:
    bench = Bench()
    bench.sink.fail_next = [Retryable("later", "241"), Retryable("later", "241")]
    told: list[int] = []
    write = bench.sink.write

    async def watched(block: Block) -> None:
        told.append(bench.metrics.waiting)
        await write(block)

    bench.sink.write = watched  # type: ignore[method-assign]  # it looks, and hands on

    await bench.store([make_polled(7)])

    assert told == [0, 1, 1]
    assert bench.metrics.waiting == 0


async def test_a_chunk_that_is_given_up_waits_no_more() -> None:
    bench = Bench()
    bench.sink.fail_next = [Retryable("later", "241")]
    bench.patience.stop()

    with pytest.raises(Interrupted):
        await bench.store([make_polled(7)])

    assert bench.metrics.waiting == 0
