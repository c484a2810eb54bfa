"""What the demo's tables write."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.tables import BAR_CELLS, TEXT_WIDTH, bar, duration, moment, number, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.85, "850 ms"), (1, "1.0 s"), (12.34, "12.3 s"), (125, "2 min 05 s")],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(-1, 2))
def test_a_bar_has_the_same_width_whatever_its_share(share: float) -> None:
    assert len(bar(share)) == BAR_CELLS


def test_bars_are_empty_half_and_full() -> None:
    assert (bar(0).strip(), bar(0.5).strip(), bar(1)) == ("", "█" * 10, "█" * 20)


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\u202e", "[red]"])
def test_text_from_outside_steers_nothing(text: str) -> None:
    shown = short(text)

    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert not shown.startswith("[red]")


def test_long_text_is_cut() -> None:
    assert short("x" * 100) == "x" * (TEXT_WIDTH - 1) + "…"


def test_numbers_and_times() -> None:
    assert number(1234567) == "1,234,567"
    assert moment(datetime(2026, 11, 24, 5, 20, tzinfo=UTC)) == "11-24 05:20:00"
    assert moment(date(2026, 11, 24)) == "Tue 24 Nov"
