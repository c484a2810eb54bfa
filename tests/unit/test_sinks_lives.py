"""Whatever becomes of a partition's owners, each first occurrence is stored once."""

from __future__ import annotations

import asyncio

from hypothesis import example, given, settings
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


SHORT = 5  # offsets of a window: copies lie within it and beyond it


async def _live(
    bench: Bench, rows: int, commits: int, log: list[int], window_offsets: int = 100
) -> None:
    """One life of the owner, ended by a refused commit or the end of the log."""
    bench.offsets.fence_at = len(bench.offsets.commits) + commits
    partition = bench.partition(CutRule(rows, 1 << 30, age_seconds=3600), window_offsets)
    async with running(partition) as task:
        await until(lambda: partition.is_ready or task.done())
        if task.done():
            return
        start = partition.expect
        if start < len(log):
            partition.add([make_polled(at, log[at]) for at in range(start, len(log))])


async def _all_lives(
    lives: list[tuple[int, int, bool]], log: list[int], window_offsets: int, *, merges: bool
) -> list[int]:
    """The offsets of the rows that are inserted in the end."""
    bench = Bench()
    bench.log.end = len(log)
    bench.ledger.merges = merges
    for rows, commits, loses_offsets in lives:
        await _live(bench, rows, commits, log, window_offsets)
        if loses_offsets:
            held = [one.chunk for one in bench.sink.blocks]
            newest = max(held, key=lambda one: one.start, default=None)
            if newest is not None:
                bench.ledger.newest_chunk = StoredChunk(newest.start, newest.end, 0.0)
            bench.offsets = FakeOffsets()
    bench.offsets.fence_at = None
    await _live(bench, 3, 1000, log, window_offsets)
    return sorted(bench.sink.offsets)


@settings(deadline=None)
@given(Lives, st.lists(st.integers(0, 9), min_size=1, max_size=25))
def test_any_lives_of_owners_store_each_first_occurrence_once(
    lives: list[tuple[int, int, bool]], log: list[int]
) -> None:
    stored = asyncio.run(_all_lives(lives, log, 100, merges=False))

    assert stored == [at for at, number in enumerate(log) if number not in log[:at]]


@settings(deadline=None)
@given(lives=Lives, log=st.lists(st.integers(0, 9), min_size=1, max_size=40), merges=st.booleans())
@example(lives=[(4, 2, False)], log=[0] * 11, merges=True)  # a repeated chunk had healed a row
def test_any_lives_of_owners_store_the_same_rows_as_one_that_never_dies(
    lives: list[tuple[int, int, bool]], log: list[int], merges: bool
) -> None:
    stored = asyncio.run(_all_lives(lives, log, SHORT, merges=merges))

    assert stored == asyncio.run(_all_lives([], log, SHORT, merges=False))
