"""Device times in all the forms that SDKs write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.times import parse

NOON = datetime(2026, 11, 24, 12, 0, 0, 123_000, tzinfo=UTC)
SECONDS = 1_795_521_600.123  # the same, since 1970


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-24T12:00:00.123Z",
        "2026-11-24T12:00:00.123+00:00",
        "2026-11-24T13:00:00.123+01:00",
        "2026-11-24 12:00:00.123",
        "2026-11-24T12:00:00.123",
        "20261124T120000.123Z",
        " 2026-11-24T12:00:00.123Z ",
        SECONDS,
        str(SECONDS),
        1_795_521_600_123,
        "1795521600123",
        1_795_521_600_123_000,
        1_795_521_600_123_000_000,
    ],
)
def test_every_form_names_the_same_instant(value: object) -> None:
    assert parse(value) == NOON


@pytest.mark.parametrize(
    "value",
    [
        None, True, [], {}, "", "yesterday", "2026-13-01T00:00:00Z", "9" * 65, "nan", "inf", 1e300,
        10**30, float("nan"), "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00",
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(value: object) -> None:
    assert parse(value) is None


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_whatever_comes_is_an_instant_in_utc_or_none(value: object) -> None:
    found = parse(value)

    assert found is None or found.utcoffset() == NOON.utcoffset()


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_instant_is_read_back(instant: datetime) -> None:
    assert parse(instant.isoformat()) == instant
