"""Waits grow, stay bounded, differ by chance, and end when told to stop."""

from __future__ import annotations

import asyncio
from itertools import islice, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.retry import Interrupted, Patience, delays


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_waits_stay_within_half_and_one_and_a_half_of_their_bound(chances: list[float]) -> None:
    waits = list(delays(iter(chances), first_seconds=0.2, most_seconds=5.0))

    assert len(waits) == len(chances)
    assert all(0.1 <= wait <= 7.5 for wait in waits)


def test_waits_double_up_to_their_bound() -> None:
    waits = list(islice(delays(repeat(0.5), first_seconds=1.0, most_seconds=5.0), 5))

    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_each_trouble_begins_with_short_waits() -> None:
    patience = Patience(repeat(0.5))

    first = list(islice(patience.waits(), 3))
    second = list(islice(patience.waits(), 3))

    assert first == second


async def test_a_stop_ends_a_wait_and_forbids_the_next() -> None:
    patience = Patience(repeat(0.5))
    waiting = asyncio.create_task(patience.sleep(3600))
    await asyncio.sleep(0)

    patience.stop()

    with pytest.raises(Interrupted):
        await waiting
    with pytest.raises(Interrupted):
        await patience.sleep(0)


async def test_a_wait_without_a_stop_just_ends() -> None:
    await Patience(repeat(0.5)).sleep(0)
