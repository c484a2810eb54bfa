"""What a replay reads from the log and what it copies, and which statements it moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.checks import TableFacts
from sinks.clickhouse.shadow import moved, reached
from sinks.rebuild.units import (
    NOWHERE,
    LiveChunk,
    Region,
    Sizes,
    Source,
    Unit,
    batches_of,
    units_of,
    whole_chunks,
)
from sinks.sink import Misconfigured

SOURCE = Source("cluster-1", "app-events", 3)
SMALL = Sizes(copied_rows=20, log_units=2, gap_offsets=10)


def chunks_of(lengths: list[tuple[int, int]]) -> list[LiveChunk]:
    """Chunks with gaps before them, in order; each with as many rows as offsets."""
    found, end = [], 0
    for gap, length in lengths:
        found.append(LiveChunk(end + gap, end + gap + length, length, "then"))
        end += gap + length
    return found


histories = st.lists(st.tuples(st.integers(0, 15), st.integers(1, 15)), max_size=12)


@given(lengths=histories, first=st.integers(0, 150), length=st.integers(0, 150))
def test_every_chunk_and_every_offset_of_the_region_is_written_once(
    lengths: list[tuple[int, int]], first: int, length: int
) -> None:
    chunks = chunks_of(lengths)
    region = whole_chunks(Region(first, first + length), chunks)

    units = units_of(SOURCE, chunks, 0, region, SMALL)

    written = [offset for one in units for offset in range(one.start, one.end)]
    assert len(written) == len(set(written))
    assert {o for one in chunks for o in range(one.start, one.end)} <= set(written)
    read = {o for one in units if one.from_log for o in range(one.start, one.end)}
    assert read == set(range(region.first, region.last))
    assert all(one.rows <= SMALL.copied_rows for one in units if not one.from_log)


@given(lengths=histories, first=st.integers(0, 150), length=st.integers(0, 150))
def test_chunks_of_the_region_keep_their_bounds_and_none_crosses_its_ends(
    lengths: list[tuple[int, int]], first: int, length: int
) -> None:
    chunks = chunks_of(lengths)
    region = whole_chunks(Region(first, first + length), chunks)

    read = [one for one in units_of(SOURCE, chunks, 0, region, SMALL) if one.from_log]

    inside = [(one.start, one.end) for one in chunks if region.holds(one)]
    assert [(one.start, one.end) for one in read if one.inserted_at] == inside
    assert all(not one.start < edge < one.end for one in chunks
               for edge in (region.first, region.last) if region != NOWHERE)  # fmt: skip


@given(lengths=histories, first=st.integers(0, 100), cut=st.integers(0, 12))
def test_what_is_written_in_two_rounds_is_what_is_written_in_one(
    lengths: list[tuple[int, int]], first: int, cut: int
) -> None:
    chunks = chunks_of(lengths)
    known = chunks[:cut]  # the region ends where the sink was at the beginning
    region = whole_chunks(Region(first, known[-1].end if known else 0), known)

    early = units_of(SOURCE, known, 0, region, SMALL)
    position = early[-1].end if early else 0
    late = units_of(SOURCE, chunks[cut:], position, region, SMALL)

    written = [offset for one in early + late for offset in range(one.start, one.end)]
    assert len(written) == len(set(written))
    assert {o for one in chunks for o in range(one.start, one.end)} <= set(written)


def test_batches_keep_each_sources_order_and_their_limits() -> None:
    other = Source("cluster-1", "app-events", 4)
    regions = {SOURCE: Region(10, 40), other: Region(0, 0)}
    units = [
        Unit(SOURCE, 0, 10, False, 10),
        Unit(SOURCE, 10, 20, True),
        Unit(SOURCE, 20, 30, True),
        Unit(SOURCE, 30, 40, True),
        Unit(SOURCE, 40, 45, False, 5),
        Unit(other, 0, 15, False, 15),
        Unit(other, 15, 20, False, 5),
    ]

    batches = batches_of(units, regions, SMALL)

    assert [[units.index(one) for one in batch] for batch in batches] == [
        [0], [1, 2], [3], [4, 5], [6],
    ]  # fmt: skip


def test_sources_of_another_kafka_are_copied_before_the_log_is_read() -> None:
    """So that, of copies in both, the rows of the log that goes on are inserted last and stay."""
    gone = Source("cluster-0", "app-events", 3)
    units = [Unit(SOURCE, 0, 10, True), Unit(SOURCE, 10, 15, False, 5), Unit(gone, 7, 9, False, 2)]

    batches = batches_of(units, {SOURCE: Region(0, 10)}, SMALL)

    assert batches == [[units[2]], [units[0]], [units[1]]]


def test_a_statement_is_moved_with_the_names_that_move_and_no_others() -> None:
    create = (
        "CREATE MATERIALIZED VIEW telemetry.hourly_mv TO telemetry.hourly AS SELECT 1"
        " FROM telemetry.events JOIN telemetry.events_of_others USING a"
    )

    assert moved(create, ["events", "hourly", "hourly_mv"]) == (
        "CREATE MATERIALIZED VIEW telemetry_replay.hourly_mv TO telemetry_replay.hourly"
        " AS SELECT 1 FROM telemetry_replay.events JOIN telemetry.events_of_others USING a"
    )


def facts(create: str, *views: str) -> TableFacts:
    return TableFacts("MergeTree", "", create, "u-1", views)


def test_a_view_of_another_database_is_left_alone_and_a_hidden_table_refused() -> None:
    to_ours = facts("CREATE MATERIALIZED VIEW telemetry.v TO telemetry.sums AS SELECT 1")
    to_theirs = facts("CREATE MATERIALIZED VIEW theirs.v TO theirs.sums AS SELECT 1")
    hidden = facts("CREATE MATERIALIZED VIEW telemetry.w (`a` UInt8) AS SELECT 1")
    tables = {
        "telemetry.events": facts("", "telemetry.v", "theirs.v"),
        "telemetry.v": to_ours,
        "telemetry.sums": facts(""),
        "theirs.v": to_theirs,
        "theirs.sums": facts(""),
    }

    assert reached(tables) == (["events", "sums"], ["v"])
    with pytest.raises(Misconfigured, match="inner_id"):
        reached({
            "telemetry.events": facts("", "telemetry.w"),
            "telemetry.w": hidden,
            "telemetry..inner_id.u-1": facts(""),
        })  # fmt: skip
