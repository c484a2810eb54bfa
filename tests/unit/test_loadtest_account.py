"""The account of a run: it closes when every promise is explained, and only then."""

from __future__ import annotations

import msgspec
import pytest

from loadtest.account import Account, Stored
from loadtest.ledger import Totals

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
