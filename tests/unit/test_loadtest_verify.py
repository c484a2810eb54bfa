"""The check of a ledger against rows, and the account: each kind of trouble is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadtest.account import Account, Stored
from loadtest.ledger import Entry, Ledger, Totals
from loadtest.verify import Findings, StoredRow, compare


def ledger_of(*outcomes: Any) -> Ledger:
    """Events e-1, e-2, … of one phone."""
    return Ledger(
        Entry("phone-1", f"e-{number}", outcome, number)
        for number, outcome in enumerate(outcomes, start=1)
    )


def rows_of(*numbers: int, **changes: Any) -> list[StoredRow]:
    """Rows of these events at rising offsets."""
    rows = [
        StoredRow("phone-1", f"e-{number}", number, 3, offset)
        for offset, number in enumerate(numbers, start=10)
    ]
    return [msgspec.structs.replace(one, **changes) for one in rows]


def find(ledger: Ledger, rows: list[StoredRow], *dead: str) -> Findings:
    return compare(ledger, rows, frozenset(dead))


THREE = ledger_of("accepted", "accepted", "accepted")


class TestCompare:
    def test_what_was_accepted_and_is_stored_in_order_is_clean(self) -> None:
        assert find(THREE, rows_of(1, 2, 3)).is_clean

    def test_an_event_that_is_nowhere_is_lost(self) -> None:
        found = find(THREE, rows_of(1, 3))

        assert (found.lost, found.is_clean) == (["e-2"], False)

    def test_an_event_put_aside_by_the_sink_is_explained(self) -> None:
        found = find(THREE, rows_of(1, 3), "e-2")

        assert (found.lost, found.dead_lettered, found.is_clean) == ([], ["e-2"], True)

    def test_two_rows_of_an_event_are_one_too_many(self) -> None:
        found = find(THREE, rows_of(1, 2, 3, 2))

        assert (found.stored_twice, found.is_clean) == (["e-2"], False)

    def test_offsets_against_the_order_of_the_answers(self) -> None:
        found = find(THREE, rows_of(1, 3, 2))

        assert (found.out_of_order, found.is_clean) == (["phone-1"], False)

    def test_one_device_on_two_partitions(self) -> None:
        first, *others = rows_of(1, 2, 3)
        found = find(THREE, [msgspec.structs.replace(first, partition=4), *others])

        assert (found.out_of_order, found.is_clean) == (["phone-1"], False)

    def test_counts_that_do_not_rise(self) -> None:
        found = find(THREE, rows_of(1, 2, 3, sequence=7))

        assert (found.out_of_order, found.is_clean) == (["phone-1"], False)

    @pytest.mark.parametrize("outcome", ["rejected", "refused"])
    def test_a_row_of_an_event_that_was_turned_away(self, outcome: str) -> None:
        found = find(ledger_of("accepted", outcome), rows_of(1, 2))

        assert (found.never_sent, found.is_clean) == (["e-2"], False)

    def test_a_row_that_nobody_sent(self) -> None:
        found = find(THREE, rows_of(1, 2, 3, 4))

        assert (found.never_sent, found.is_clean) == (["e-4"], False)

    @pytest.mark.parametrize("numbers", [(1,), (1, 2)])
    def test_a_try_without_an_answer_may_be_stored_or_not(self, numbers: tuple[int, ...]) -> None:
        assert find(ledger_of("accepted", "unanswered"), rows_of(*numbers)).is_clean


PROMISED = Totals(accepted=10, duplicate=1, rejected=2, unanswered=3)
HELD = Stored(stored=8, duplicates_dropped=1, dead_lettered=1, rejected_at_the_door=2)


def account(**changes: int) -> Account:
    return Account(promised=PROMISED, stored=msgspec.structs.replace(HELD, **changes))


class TestAccount:
    def test_it_closes_when_each_promise_is_a_row_a_copy_or_a_letter(self) -> None:
        assert account().is_closed

    @pytest.mark.parametrize("kept", [9, 10, 11])
    def test_tries_without_an_answer_may_have_been_kept(self, kept: int) -> None:
        assert account(stored=kept).is_closed

    @pytest.mark.parametrize(
        ("changes", "difference", "rejected"),
        [
            ({"stored": 7}, 1, 0),
            ({"dead_lettered": 0}, 1, 0),
            ({"stored": 12}, -1, 0),
            ({"rejected_at_the_door": 1}, 0, 1),
            ({"rejected_at_the_door": 6}, 0, -1),
        ],
    )
    def test_it_does_not_close_on_what_is_missing_or_too_much(
        self, changes: dict[str, int], difference: int, rejected: int
    ) -> None:
        wrong = account(**changes)

        assert not wrong.is_closed
        assert (wrong.difference, wrong.rejected_difference) == (difference, rejected)
