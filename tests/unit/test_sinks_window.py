"""Which copies are dropped is a function of the log: chunks, restarts and repeats do not matter."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.sink import Row
from sinks.window import Choice, IdWindow

OFFSETS = 8  # the window's length: copies lie within it and beyond it

# Event numbers by offset, and the places where a chunk ends or a process restarts.
Logs = st.lists(st.integers(0, 15), min_size=1, max_size=60)
Cuts = st.sets(st.integers(0, 60))


def _row(offset: int, number: int) -> Row:
    return Row(offset, b"{", b"%d" % number, ("app", 0))


def _by_definition(log: list[int]) -> list[int]:
    """Drop the record at o when a row of its event was inserted from [o - N, o)."""
    inserted: list[int] = []
    for offset, number in enumerate(log):
        near = range(max(0, offset - OFFSETS), offset)
        if not any(one in near and log[one] == number for one in inserted):
            inserted.append(offset)
    return inserted


class Naive:
    """The negative control: remembers each record it sees, copies too, for as long as it lives."""

    def __init__(self, offsets: int) -> None:
        self._offsets = offsets
        self._seen: dict[bytes | None, int] = {}

    def choose(self, rows: list[Row]) -> Choice:
        choice = Choice([], [])
        for row in rows:
            seen = self._seen.get(row.identity)
            is_copy = seen is not None and seen >= row.offset - self._offsets
            (choice.dropped if is_copy else choice.kept).append(row)
            self._seen[row.identity] = row.offset
        return choice

    def remember(self, inserted: list[tuple[int, bytes | None]], next_offset: int) -> None:
        """It has seen them; a restarted one fills itself from the rows."""
        for offset, identity in inserted:
            self._seen[identity] = offset


def _all_rows(log: list[int], inserted: list[int]) -> list[int]:
    return inserted


def _last_copies(log: list[int], inserted: list[int]) -> list[int]:
    """What merges leave of the rows inserted so far: of each event the one inserted last."""
    return sorted({log[one]: one for one in inserted}.values())


def _first_copies(log: list[int], inserted: list[int]) -> list[int]:
    """The negative control: what merges of another engine would leave."""
    return sorted({log[one]: one for one in reversed(inserted)}.values())


def _run(
    make: Callable[[int], IdWindow | Naive],
    log: list[int],
    cuts: set[int],
    restarts: set[int],
    left: Callable[[list[int], list[int]], list[int]] = _all_rows,
) -> list[int]:
    """Store a log chunk by chunk, with restarts before some of the chunks; inserted offsets.

    A new owner reads back the rows that merges have `left` by then.
    """
    window = make(OFFSETS)
    inserted: list[int] = []
    start = 0
    for end in sorted({cut for cut in cuts if 0 < cut < len(log)} | {len(log)}):
        if start in restarts:
            window = make(OFFSETS)
            found = [one for one in left(log, inserted) if start - OFFSETS <= one < start]
            window.remember([(one, b"%d" % log[one]) for one in found], start)
        kept = window.choose([_row(one, log[one]) for one in range(start, end)]).kept
        if isinstance(window, IdWindow):
            window.remember([(row.offset, row.identity) for row in kept], end)
        inserted += [row.offset for row in kept]
        start = end
    return inserted


@given(Logs, Cuts, Cuts)
def test_what_is_inserted_depends_on_the_log_alone(
    log: list[int], cuts: set[int], restarts: set[int]
) -> None:
    assert _run(IdWindow, log, cuts, restarts) == _by_definition(log)


@given(Logs, Cuts, Cuts)
def test_merges_take_no_row_that_a_new_owner_still_needs(
    log: list[int], cuts: set[int], restarts: set[int]
) -> None:
    assert _run(IdWindow, log, cuts, restarts, _last_copies) == _by_definition(log)


def test_merges_that_kept_first_copies_would() -> None:
    log = [7, 0, 1, 2, 3, 4, 5, 6, 8, 7, 9, 10, 7]  # 7 again beyond the window, and within it

    runs = [_run(IdWindow, log, {10}, {10}, left) for left in (_last_copies, _first_copies)]

    assert runs == [list(range(12)), list(range(13))]


@given(Logs, Cuts, Cuts, Cuts)
def test_owners_whose_windows_are_longer_and_shorter_differ_by_no_event(
    log: list[int], cuts: set[int], restarts: set[int], longer: set[int]
) -> None:
    """The option may change from one owner to the next: each event keeps its first row."""

    def make(offsets: int) -> IdWindow:
        return IdWindow(OFFSETS * 2 if next(owners) in longer else OFFSETS)

    owners = count()
    inserted = _run(make, log, cuts, restarts)

    first = [at for at, number in enumerate(log) if number not in log[:at]]
    assert set(first) <= set(inserted)


def test_a_window_that_remembers_copies_depends_on_restarts() -> None:
    @settings(database=None, derandomize=True)
    @given(Logs, Cuts, Cuts)
    def holds(log: list[int], cuts: set[int], restarts: set[int]) -> None:
        assert _run(Naive, log, cuts, restarts) == _run(Naive, log, cuts, set())

    with pytest.raises(AssertionError):
        holds()


@given(Logs, st.integers(0, 60))
def test_choosing_again_is_the_same_choice(log: list[int], cut: int) -> None:
    window = IdWindow(OFFSETS)
    cut = min(cut, len(log))
    before = [_row(one, log[one]) for one in range(cut)]
    kept = window.choose(before).kept
    window.remember([(row.offset, row.identity) for row in kept], cut)
    rows = [_row(one, log[one]) for one in range(cut, len(log))]

    first, second = window.choose(rows), window.choose(rows)

    assert first == second


def test_without_its_bad_first_copy_the_good_second_one_is_kept() -> None:
    window = IdWindow(OFFSETS)
    bad, good = _row(0, 7), _row(1, 7)

    together = window.choose([bad, good])
    alone = window.choose([good])

    assert together.dropped == [good]
    assert alone.kept == [good]


def test_rows_without_identity_are_always_kept() -> None:
    window = IdWindow(OFFSETS)
    rows = [Row(offset, b"{", None, ("app", 0)) for offset in (0, 1)]

    choice = window.choose(rows)
    window.remember([(row.offset, row.identity) for row in rows], 2)

    assert choice.kept == rows
    assert len(window) == 0


@given(Logs)
def test_it_holds_no_more_than_its_length(log: list[int]) -> None:
    window = IdWindow(OFFSETS)

    for offset, number in enumerate(log):
        kept = window.choose([_row(offset, number)]).kept
        window.remember([(row.offset, row.identity) for row in kept], offset + 1)

    assert len(window) <= len(log[-OFFSETS:])
