"""The buffer loses nothing, adds nothing, and cuts within its limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinks.buffer import Buffer, CutRule, Memory, Pace
from sinks.sink import OBJECT_BYTES, Polled, bytes_of

ROOMY = CutRule(rows=1_000_000, bytes=1 << 30, age_seconds=1.0)


def _records(sizes: list[int], first: int = 0) -> list[Polled]:
    return [Polled(first + n, None, b"x" * size, 0) for n, size in enumerate(sizes)]


@given(
    st.lists(st.lists(st.integers(0, 300), max_size=20), max_size=20),
    st.integers(1, 15),
    st.integers(1, 4000),
)
def test_the_chunks_together_are_what_was_added(
    fetches: list[list[int]], rows: int, size: int
) -> None:
    buffer = Buffer(CutRule(rows, size, age_seconds=1.0))
    added: list[Polled] = []
    chunks: list[list[Polled]] = []

    for sizes in fetches:
        records = _records(sizes, first=len(added))
        added += records
        buffer.add(records, now=0.0)
        while buffer.seconds_until_ready(0.0) == 0:
            chunks.append(buffer.cut(0.0))
        assert buffer.bytes == bytes_of(added[sum(map(len, chunks)) :])
    while len(buffer):
        chunks.append(buffer.cut(0.0))

    assert [record for chunk in chunks for record in chunk] == added
    assert all(1 <= len(chunk) <= rows for chunk in chunks)
    assert all(len(chunk) == 1 or bytes_of(chunk) <= size for chunk in chunks)
    assert buffer.bytes == 0


def test_nothing_to_cut_means_nothing_to_wait_for() -> None:
    buffer = Buffer(ROOMY)

    buffer.add([], now=5.0)

    assert buffer.seconds_until_ready(9.0) is None


def test_a_chunk_is_ready_when_its_first_record_is_old_enough() -> None:
    buffer = Buffer(ROOMY)

    buffer.add(_records([10]), now=5.0)
    buffer.add(_records([10], first=1), now=5.9)

    assert buffer.seconds_until_ready(5.25) == 0.75
    assert buffer.seconds_until_ready(6.0) == 0.0


def test_a_chunk_is_ready_at_once_when_it_has_its_rows_or_bytes() -> None:
    by_rows = Buffer(CutRule(rows=2, bytes=1 << 30, age_seconds=60))
    by_bytes = Buffer(CutRule(rows=100, bytes=OBJECT_BYTES + 10, age_seconds=60))

    by_rows.add(_records([1, 1]), now=0.0)
    by_bytes.add(_records([10]), now=0.0)

    assert by_rows.seconds_until_ready(0.0) == 0.0
    assert by_bytes.seconds_until_ready(0.0) == 0.0


def test_what_stays_after_a_cut_grows_old_anew() -> None:
    buffer = Buffer(CutRule(rows=1, bytes=1 << 30, age_seconds=10))
    buffer.add(_records([1, 1]), now=0.0)

    buffer.cut(now=4.0)
    buffer.add([], now=4.0)

    assert buffer.seconds_until_ready(4.0) == 0.0  # it makes a chunk by its rows
    assert len(buffer.cut(now=4.0)) == 1
    assert buffer.seconds_until_ready(4.0) is None


def test_an_announced_chunk_is_cut_whole_whatever_its_size() -> None:
    buffer = Buffer(CutRule(rows=2, bytes=300, age_seconds=1))
    buffer.add(_records([100] * 9, first=10), now=0.0)

    chunk = buffer.cut_before(17, now=0.0)

    assert [record.offset for record in chunk] == list(range(10, 17))
    assert [record.offset for record in buffer.cut(0.0)] == [17]
    assert [record.offset for record in buffer.cut(0.0)] == [18]
    assert buffer.bytes == 0


def test_chunks_wait_longer_the_more_partitions_hold_records() -> None:
    pace = Pace()
    buffer = Buffer(ROOMY)
    buffer.add(_records([10]), now=0.0)

    pace.holding.add("app-events-0")
    alone = buffer.seconds_until_ready(0.0, pace.stretch)
    pace.holding.update(f"app-events-{number}" for number in range(12))
    with_others = buffer.seconds_until_ready(0.0, pace.stretch)

    assert alone == 1.0
    assert with_others == 12 / 5


def test_memory_is_full_at_its_limit() -> None:
    memory = Memory(limit_bytes=100)

    memory.used_bytes = 99
    below = memory.is_full
    memory.used_bytes = 100

    assert not below
    assert memory.is_full
