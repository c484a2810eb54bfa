"""The corrected event time: what the device's clock said, moved by what we know of that clock.

skew = received_at - sent_at. It holds network transit too, so small skews are left alone: moving
by them would reorder a device's events.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.contract.event import Stamp
from gateway.contract.record import EPOCH, LAST_INSTANT

TRANSIT = timedelta(seconds=5)  # a skew up to this is taken for network transit
LATE_BATCH = timedelta(seconds=60)  # beyond it, a stamp of class B may be time spent offline
FUTURE = timedelta(seconds=60)
ANCIENT = timedelta(days=30)
OLDEST = timedelta(days=395)  # ts spans at most this before received_at

NO_SKEW = timedelta(0)


def correction(
    sent_at: datetime | None, received_at: datetime, stamp: Stamp, *, is_retry: bool
) -> timedelta:
    """How far to move every time of a POST. `is_retry`: the client says it sent this before."""
    if sent_at is None or stamp is Stamp.NONE:
        return NO_SKEW
    skew = received_at - sent_at
    if -TRANSIT <= skew <= TRANSIT:
        return NO_SKEW
    if stamp is Stamp.EACH_ATTEMPT or skew < NO_SKEW:
        return skew
    return skew if skew <= LATE_BATCH and not is_retry else NO_SKEW


def is_plausible(instant: datetime) -> bool:
    """Whether ClickHouse can hold this device time: 1970-01-01 to 2149-06-06."""
    return EPOCH <= instant < LAST_INSTANT


def correct(
    occurred_at: datetime | None, sent_at: datetime | None, received_at: datetime, move: timedelta
) -> tuple[datetime, datetime, str]:
    """(occurred_at as stored, ts, time_quality) of one event. None is a time that is none."""
    if occurred_at is None or not is_plausible(occurred_at):
        return EPOCH, received_at, "invalid"
    ts = occurred_at + move if move else occurred_at
    if ts > received_at + FUTURE:
        return occurred_at, received_at, "future"
    if ts < received_at - ANCIENT:
        return occurred_at, ts if ts >= received_at - OLDEST else received_at, "ancient"
    if move:
        return occurred_at, ts, "corrected"
    return occurred_at, ts, "as_sent" if sent_at is not None else "no_sent_at"
