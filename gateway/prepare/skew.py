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
_EACH_ATTEMPT, _NO_STAMP = Stamp.EACH_ATTEMPT, Stamp.NONE  # looked up in their class they cost more
INSTANT = timedelta(microseconds=1)


def correction(
    sent_at: datetime | None, received_at: datetime, stamp: Stamp, *, is_retry: bool
) -> timedelta:
    """How far to move every time of a POST. `is_retry`: the client says it sent this before."""
    if sent_at is None or stamp is _NO_STAMP:
        return NO_SKEW
    skew = received_at - sent_at
    if -TRANSIT <= skew <= TRANSIT:
        return NO_SKEW
    if stamp is _EACH_ATTEMPT or skew < NO_SKEW:
        return skew
    return skew if skew <= LATE_BATCH and not is_retry else NO_SKEW


def is_plausible(instant: datetime) -> bool:
    """Whether ClickHouse can hold this device time: 1970-01-01 to 2149-06-06."""
    return EPOCH <= instant < LAST_INSTANT


class Window:
    """The times of one POST's events: how each is stored, by what is known of its clock."""

    __slots__ = ("_received_at", "earliest", "latest", "move", "quality")

    def __init__(self, sent_at: datetime | None, received_at: datetime, move: timedelta) -> None:
        """`sent_at` is None where it is missing or not plausible; `move` is the `correction`."""
        self._received_at = received_at
        self.move = move
        self.quality = "corrected" if move else "as_sent" if sent_at else "no_sent_at"
        # Between these a time is moved and nothing else: nearly all are.
        base = received_at - move if move else received_at
        earliest, latest = base - ANCIENT, base + FUTURE
        self.earliest = earliest if earliest > EPOCH else EPOCH
        self.latest = latest if latest < LAST_INSTANT else LAST_INSTANT - INSTANT

    def place(self, occurred_at: datetime | None) -> tuple[datetime, datetime, str]:
        """(occurred_at as stored, ts, time_quality) of one event. None is a time that is none."""
        if occurred_at is not None and self.earliest <= occurred_at <= self.latest:
            return occurred_at, occurred_at + self.move, self.quality
        if occurred_at is None or not is_plausible(occurred_at):
            return EPOCH, self._received_at, "invalid"
        if occurred_at > self.latest:
            return occurred_at, self._received_at, "future"
        ts = occurred_at + self.move
        oldest = self._received_at - OLDEST
        return occurred_at, ts if ts >= oldest else self._received_at, "ancient"
