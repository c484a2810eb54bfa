"""Which chunks are read from the log again, and which rows are copied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from msgspec import Struct


class Source(Struct, frozen=True, order=True):
    """One partition whose rows are stored; also of a Kafka cluster that is gone."""

    cluster: str
    topic: str
    partition: int


class LiveChunk(Struct, frozen=True):
    """A chunk as the live tables know it."""

    start: int
    end: int
    rows: int
    inserted_at: str = ""  # of its rows


class Unit(Struct, frozen=True):
    """Offsets [start, end) of one source on their way to the rebuilt tables."""

    source: Source
    start: int
    end: int
    from_log: bool
    rows: int = 0  # of the live table
    inserted_at: str = ""  # of these; "": there are none


class Region(Struct, frozen=True):
    """The offsets [first, last) of a source that are read from the log. No live chunk crosses its
    bounds."""

    first: int
    last: int

    def holds(self, chunk: LiveChunk) -> bool:
        return self.first <= chunk.start < self.last


NOWHERE = Region(0, 0)


class Sizes(Struct, frozen=True):
    """How much is written at once."""

    copied_rows: int = 200_000  # by one INSERT
    log_units: int = 50  # announced together: after a kill so many are repeated, in vain
    gap_offsets: int = 20_000


def units_of(
    source: Source, chunks: Sequence[LiveChunk], position: int, region: Region, sizes: Sizes
) -> list[Unit]:
    """All there is to write of a source from `position` on, in order.

    A chunk of the region keeps its bounds, so that it keeps its token and its account. What lies in
    the region and in no chunk is read as well: rows that the live tables have lost.
    """
    found: list[Unit] = []
    group: list[LiveChunk] = []
    reached = max(position, region.first)

    def flush() -> None:
        if group:
            rows = sum(one.rows for one in group)
            found.append(Unit(source, group[0].start, group[-1].end, False, rows))
            group.clear()

    def fill(end: int) -> None:
        nonlocal reached
        while reached < (stop := min(end, region.last)):
            flush()
            until = min(reached + sizes.gap_offsets, stop)
            found.append(Unit(source, reached, until, from_log=True))
            reached = until

    for chunk in chunks:
        fill(chunk.start)
        reached = max(reached, chunk.end)
        if region.holds(chunk):
            flush()
            found.append(Unit(source, chunk.start, chunk.end, True, chunk.rows, chunk.inserted_at))
        else:
            if sum(one.rows for one in group) + chunk.rows > sizes.copied_rows:
                flush()
            group.append(chunk)
    fill(region.last)
    flush()
    return found


def batches_of(
    units: Sequence[Unit], regions: Mapping[Source, Region], sizes: Sizes
) -> list[list[Unit]]:
    """Units that are announced together, in their order: of each source what lies before its
    region, the region, and what lies behind it. One INSERT copies all units of a batch.

    Sources without a region come first, as they did: those of a Kafka that is gone. Of copies that
    lie there and here, merges leave what was inserted last, and the window is filled from these.
    """

    def phase(unit: Unit) -> int:
        if unit.from_log:
            return 1
        region = regions.get(unit.source)
        return 0 if region is None or unit.end <= region.first else 2

    found: list[list[Unit]] = []
    for _, alike in groupby(sorted(units, key=phase), key=phase):  # sorting keeps their order
        batch: list[Unit] = []
        for unit in alike:
            is_full = (
                len(batch) >= sizes.log_units
                if unit.from_log
                else sum(one.rows for one in batch) + unit.rows > sizes.copied_rows
            )
            if batch and is_full:
                found.append(batch)
                batch = []
            batch.append(unit)
        found.append(batch)
    return found


def whole_chunks(region: Region, chunks: Sequence[LiveChunk]) -> Region:
    """The region without the chunks that reach over its bounds: those are copied whole."""
    first, last = region.first, region.last
    for chunk in chunks:
        if chunk.start < first < chunk.end:
            first = chunk.end
        if chunk.start < last < chunk.end:
            last = chunk.start
    return Region(first, last) if first < last else NOWHERE
