"""The corrected event time, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.event import Stamp
from gateway.contract.record import EPOCH
from gateway.prepare.skew import Window, correction

RECEIVED = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
NONE = timedelta(0)


class TestCorrection:
    @pytest.mark.parametrize(
        ("skew", "stamp", "is_retry", "move"),
        [
            (5 * SECOND, Stamp.EACH_ATTEMPT, False, NONE),
            (-5 * SECOND, Stamp.EACH_ATTEMPT, False, NONE),
            (6 * SECOND, Stamp.EACH_ATTEMPT, False, 6 * SECOND),
            (-3 * DAY, Stamp.EACH_ATTEMPT, True, -3 * DAY),
            (3 * DAY, Stamp.EACH_ATTEMPT, True, 3 * DAY),
            (60 * SECOND, Stamp.BATCH_CLOSED, False, 60 * SECOND),
            (60 * SECOND, Stamp.BATCH_CLOSED, True, NONE),
            (61 * SECOND, Stamp.BATCH_CLOSED, False, NONE),
            (-61 * SECOND, Stamp.BATCH_CLOSED, True, -61 * SECOND),
            (3 * DAY, Stamp.NONE, False, NONE),
        ],
    )
    def test_a_skew_moves_times_unless_it_may_be_transit_or_time_offline(
        self, skew: timedelta, stamp: Stamp, is_retry: bool, move: timedelta
    ) -> None:
        assert correction(RECEIVED - skew, RECEIVED, stamp, is_retry=is_retry) == move

    def test_without_a_sent_time_nothing_moves(self) -> None:
        assert correction(None, RECEIVED, Stamp.EACH_ATTEMPT, is_retry=False) == NONE


class TestWindow:
    @pytest.mark.parametrize(
        ("occurred", "move", "ts", "quality"),
        [
            (RECEIVED - 2 * SECOND, NONE, RECEIVED - 2 * SECOND, "as_sent"),
            (RECEIVED - DAY, 3 * SECOND, RECEIVED - DAY + 3 * SECOND, "corrected"),
            (RECEIVED + 60 * SECOND, NONE, RECEIVED + 60 * SECOND, "as_sent"),
            (RECEIVED + 61 * SECOND, NONE, RECEIVED, "future"),
            (RECEIVED - 30 * DAY, NONE, RECEIVED - 30 * DAY, "as_sent"),
            (RECEIVED - 31 * DAY, NONE, RECEIVED - 31 * DAY, "ancient"),
            (RECEIVED - 395 * DAY, NONE, RECEIVED - 395 * DAY, "ancient"),
            (RECEIVED - 396 * DAY, NONE, RECEIVED, "ancient"),
        ],
    )
    def test_the_raw_time_stays_and_ts_is_plausible(
        self, occurred: datetime, move: timedelta, ts: datetime, quality: str
    ) -> None:
        assert Window(RECEIVED, RECEIVED, move).place(occurred) == (occurred, ts, quality)

    @pytest.mark.parametrize(
        "occurred",
        [None, datetime(1969, 12, 31, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)],
    )
    def test_what_is_no_time_is_the_same_constant_at_every_re_send(
        self, occurred: datetime | None
    ) -> None:
        assert Window(RECEIVED, RECEIVED, NONE).place(occurred) == (EPOCH, RECEIVED, "invalid")

    def test_without_a_sent_time_nobody_knows_the_device_s_clock(self) -> None:
        assert Window(None, RECEIVED, NONE).place(RECEIVED)[2] == "no_sent_at"

    @given(
        st.datetimes(timezones=st.just(UTC)) | st.none(),
        st.timedeltas(timedelta(days=-65_000), timedelta(days=65_000)),
    )
    def test_ts_spans_thirteen_months_whatever_a_device_says(
        self, occurred: datetime | None, move: timedelta
    ) -> None:
        _, ts, _ = Window(RECEIVED, RECEIVED, move).place(occurred)

        assert RECEIVED - 395 * DAY <= ts <= RECEIVED + 60 * SECOND
