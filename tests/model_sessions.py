"""Sessions as the named queries must count them: whole, once, on the day they started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Protocol

from msgspec import Struct

from tests.histories import NO_SESSION, Happened
from tests.model_parts import Row, by_key, crash_free, crashes_of, percent, quantile

MARGIN = timedelta(days=10)  # what is further away from the period is not looked at
CLOSES = ("app_close", "session_end")


class Places(Protocol):
    """What sessions are narrowed to."""

    @property
    def release(self) -> str: ...

    def has_release(self, one: Happened) -> bool: ...

    def is_at(self, os_name: str, country: str) -> bool: ...


class Joined(Struct, frozen=True):
    """One session as people mean it."""

    start: datetime
    seconds: float
    is_closed: bool
    is_crashed: bool


class Sessions:
    def __init__(
        self, events: Sequence[Happened], first: date, last: date, filter_: Places
    ) -> None:
        with_one = [
            one
            for one in events
            if one.session_id != NO_SESSION and first - MARGIN <= one.ts.date() <= last + MARGIN
        ]
        self._all = list(by_key(with_one, lambda one: one.session_id).values())
        self._first, self._last = first, last
        self._filter = filter_

    def _started(self) -> list[list[Happened]]:
        """Those that started in the period, whole."""
        return [one for one in self._all if self._first <= start_of(one).date() <= self._last]

    def _is_there(self, events: Sequence[Happened]) -> bool:
        """They are in the greatest country of them, on the greatest platform."""
        return self._filter.is_at(
            max(one.os_name for one in events), max(one.country for one in events)
        )

    def _picked(self, sessions: Sequence[list[Happened]]) -> list[list[Happened]]:
        """Those that had an event of the release, and were there."""
        return [
            one
            for one in sessions
            if any(map(self._filter.has_release, one)) and self._is_there(one)
        ]

    def spans(self) -> list[tuple[datetime, datetime]]:
        """First and last moment of each session."""
        return [(start_of(one), end_of(one)) for one in self._started()]

    def per_day(self) -> list[Row]:
        lengths: dict[date, list[float]] = defaultdict(list)
        for one in self._picked(self._started()):
            lengths[start_of(one).date()].append(seconds_of(one))
        return [
            (day, len(found), quantile(0.5, found), quantile(0.95, found))
            for day, found in sorted(lengths.items())
        ]

    def _within(self, release: str) -> list[list[Happened]]:
        """What the sessions did in that release, where they were there with it."""
        parts = [
            [one for one in session if one.app_version == release] for session in self._started()
        ]
        return [part for part in parts if part and self._is_there(part)]

    def crash_free(self) -> list[Row]:
        releases = sorted({one.app_version for one in chain.from_iterable(self._started())})
        found: list[Row] = []
        for release in releases:
            parts = self._within(release)
            if parts and self._filter.release in ("", release):
                crashed = sum(bool(crashes_of(one)) for one in parts)
                found.append((release, *crash_free(len(parts), crashed)))
        return found

    def within_release(self, release: str) -> tuple[list[float], int]:
        """The lengths of what sessions did in that release, and how many crashed in it."""
        parts = self._within(release)
        return list(map(seconds_of, parts)), sum(bool(crashes_of(one)) for one in parts)

    def joined_per_day(self, gap: int) -> list[Row]:
        """Sessions that go on within `gap` seconds are one, unless the first crashed."""
        days: dict[date, list[Joined]] = defaultdict(list)
        for parts in _by_device(self._picked(self._all)).values():
            for one in joined(parts, gap):
                if self._first <= one.start.date() <= self._last:
                    days[one.start.date()].append(one)
        return [
            (
                day,
                len(found),
                quantile(0.5, [one.seconds for one in found]),
                quantile(0.9, [one.seconds for one in found]),
                percent(sum(not (one.is_closed or one.is_crashed) for one in found), len(found)),
                percent(sum(one.is_crashed for one in found), len(found)),
            )
            for day, found in sorted(days.items())
        ]


def joined(parts: list[list[Happened]], gap: int) -> list[Joined]:
    """The sessions of one device, as people mean them."""
    parts = sorted(parts, key=_place)
    chains: list[list[list[Happened]]] = []
    for part in parts:
        previous = chains[-1][-1] if chains else None
        if (
            previous is not None
            and gap > 0
            and not crashes_of(previous)
            and start_of(part) - end_of(previous) <= timedelta(seconds=gap)
        ):
            chains[-1].append(part)
        else:
            chains.append([part])
    return [_joined(one) for one in chains]


def _place(part: Sequence[Happened]) -> tuple[object, ...]:
    ended = (bool(crashes_of(part)), _is_closed(part))
    return (start_of(part), end_of(part), *ended, max(one.duration_ms for one in part))


def _is_closed(part: Sequence[Happened]) -> bool:
    return any(one.event_type in CLOSES for one in part)


def _joined(parts: Sequence[Sequence[Happened]]) -> Joined:
    start, end = start_of(parts[0]), max(map(end_of, parts))
    measured = max(one.duration_ms for part in parts for one in part) / 1000
    return Joined(
        start,
        max((end - start).total_seconds(), measured),
        _is_closed(parts[-1]),
        bool(crashes_of(parts[-1])),
    )


def _by_device(sessions: Sequence[list[Happened]]) -> dict[str, list[list[Happened]]]:
    found: dict[str, list[list[Happened]]] = defaultdict(list)
    for one in sessions:
        found[one[0].device_id].append(one)
    return found


def start_of(session: Sequence[Happened]) -> datetime:
    return min(one.ts for one in session)


def end_of(session: Sequence[Happened]) -> datetime:
    return max(one.ts for one in session)


def seconds_of(session: Sequence[Happened]) -> float:
    span = (end_of(session) - start_of(session)).total_seconds()
    return max(span, max(one.duration_ms for one in session) / 1000)
