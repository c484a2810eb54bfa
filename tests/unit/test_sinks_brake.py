"""One poison record passes; a flood stops the sink before its first letter is written."""

from __future__ import annotations

from itertools import repeat

from sinks.brake import WINDOW_RECORDS, Brake


def test_a_few_bad_records_do_not_stop_the_sink() -> None:
    brake = Brake(dead_letters=100, percent=1.0)

    assert brake.judge([*repeat(False, 20), *repeat(True, 99), False]) is None


def test_so_many_in_a_row_stop_it() -> None:
    brake = Brake(dead_letters=100, percent=1.0)

    reason = brake.judge([False, *repeat(True, 100)])

    assert reason == "100 records in a row cannot be stored"


def test_a_row_goes_on_over_chunks() -> None:
    brake = Brake(dead_letters=100, percent=1.0)
    brake.record(repeat(True, 60))

    assert brake.judge(repeat(True, 40)) is not None


def test_a_share_of_the_last_records_stops_it() -> None:
    brake = Brake(dead_letters=100, percent=1.0)
    brake.record(repeat(False, WINDOW_RECORDS))

    just_below = brake.judge([True, False] * 100)
    above = brake.judge([True, False] * 101)

    assert just_below is None
    assert above is not None


def test_what_lies_far_back_is_forgotten() -> None:
    brake = Brake(dead_letters=100, percent=1.0)
    brake.record([True, False] * 100)
    brake.record(repeat(False, WINDOW_RECORDS))

    assert brake.judge([True, False] * 100) is None


def test_judging_records_nothing() -> None:
    brake = Brake(dead_letters=2, percent=100.0)

    brake.judge([True])

    assert brake.judge([True]) is None
