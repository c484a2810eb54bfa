"""Waits between tries: they grow, differ, and are never shorter than what the server asks for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.backoff import LONGEST_ASKED_SECONDS, PHONE, SPREAD, Backoff, asked_seconds

backoffs = st.builds(
    lambda first, factor: Backoff(first_seconds=first, longest_seconds=first * factor),
    st.floats(0.01, 10),
    st.floats(1, 1000),
)
asks = st.floats(0, LONGEST_ASKED_SECONDS)
chances = st.integers().map(random.Random)


@given(backoffs, st.integers(1, 5000), asks, chances)
def test_a_wait_is_at_least_what_is_asked_and_not_much_longer_than_the_longest(
    backoff: Backoff, tries: int, asked: float, chance: random.Random
) -> None:
    wait = backoff.wait(tries, asked, chance)

    assert wait >= min(asked, backoff.longest_seconds)
    assert backoff.first_seconds / 2 <= wait <= backoff.longest_seconds * (1 + SPREAD)


@given(backoffs, chances)
def test_without_a_wish_of_the_server_waits_double_until_the_longest(
    backoff: Backoff, chance: random.Random
) -> None:
    for tries in range(1, 40):
        grown = min(backoff.longest_seconds, backoff.first_seconds * 2 ** (tries - 1))
        assert grown / 2 <= backoff.wait(tries, 0, chance) <= grown


@pytest.mark.parametrize("asked", [0.0, 5.0])
def test_phones_that_failed_together_part(asked: float) -> None:
    waits = {PHONE.wait(4, asked, random.Random(phone)) for phone in range(1000)}

    assert len(waits) > 990


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("", 0),
        ("-3", 0),
        ("1.5", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("9" * 400, LONGEST_ASKED_SECONDS),
    ],
)
def test_only_whole_seconds_are_read(header: str, seconds: float) -> None:
    assert asked_seconds(header) == seconds
