"""Whatever becomes of a partition's owners, each first occurrence is stored once."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.buffer import CutRule
from sinks.sink import StoredChunk
from tests.fakes_sink import FakeOffsets, make_polled
from tests.partition_bench import Bench, running, until

Lives = st.lists(
    st.tuples(
        st.integers(1, 6),  # rows of a chunk
        st.integers(0, 8),  # commits before the fence or the kill
        st.booleans(),  # the offsets are lost afterwards
    ),
    max_size=6,
)


async def _live(bench: Bench, rows: int, commits: int, log: list[int]) -> None:
    """One life of the owner, ended by a refused commit or the end of the log."""
    bench.offsets.fence_at = len(bench.offsets.commits) + commits
    partition = bench.partition(CutRule(rows=rows, bytes=1 << 30, age_seconds=3600))
    async with running(partition) as task:
        await until(lambda: partition.is_ready or task.done())
        if task.done():
            return
        start = partition.expect
        if start < len(log):
            partition.add([make_polled(at, log[at]) for at in range(start, len(log))])


@settings(deadline=None)
@given(Lives, st.lists(st.integers(0, 9), min_size=1, max_size=25))
def test_any_lives_of_owners_store_each_first_occurrence_once(
    lives: list[tuple[int, int, bool]], log: list[int]
) -> None:
    async def all_lives() -> Bench:
        bench = Bench()
        bench.log.end = len(log)
        for rows, commits, loses_offsets in lives:
            await _live(bench, rows, commits, log)
            if loses_offsets:
                held = [one.chunk for one in bench.sink.blocks]
                newest = max(held, key=lambda one: one.start, default=None)
                if newest is not None:
                    bench.ledger.newest_chunk = StoredChunk(newest.start, newest.end, 0.0)
                bench.offsets = FakeOffsets()
        bench.offsets.fence_at = None
        await _live(bench, rows=3, commits=1000, log=log)
        return bench

    bench = asyncio.run(all_lives())

    first = [at for at, number in enumerate(log) if number not in log[:at]]
    assert sorted(bench.sink.offsets) == first
