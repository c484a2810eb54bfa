"""What the named queries must say of a history: plain Python, obviously right and never fast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from tests.histories import NO_SESSION, Happened

Row = tuple[object, ...]
Key = TypeVar("Key")


class Model:
    """What is true of the events of one app, in the days [first, last]."""

    def __init__(self, events: Iterable[Happened], app_id: str, first: date, last: date) -> None:
        self.all = [one for one in events if one.app_id == app_id]
        self.first, self.last = first, last

    def answers(self) -> dict[str, list[Row]]:
        """The rows of every named query that needs no more than app and period."""
        return {
            "daily_active_devices": self.daily_active_devices(),
            "sessions_per_day": self.sessions_per_day(),
            "crash_free_devices": self.crash_free_devices(),
            "crash_free_sessions": self.crash_free_sessions(),
            "top_crash_groups": self.top_crash_groups(),
            "retention": self.retention(),
            "freshness": self.freshness(),
        }

    def within(self, instant: datetime) -> bool:
        return self.first <= instant.date() <= self.last

    @property
    def _events(self) -> list[Happened]:
        return [one for one in self.all if self.within(one.ts)]

    def daily_active_devices(self) -> list[Row]:
        days = _grouped(self._events, lambda one: one.ts.date())
        return [(one, len(_devices(events))) for one, events in sorted(days.items())]

    def _sessions(self) -> list[list[Happened]]:
        """The sessions that started in the period, whole."""
        with_one = [one for one in self.all if one.session_id != NO_SESSION]
        sessions = _grouped(with_one, lambda one: one.session_id).values()
        return [one for one in sessions if self.within(min(event.ts for event in one))]

    def spans(self) -> list[tuple[datetime, datetime]]:
        """First and last moment of each session."""
        return [
            (min(one.ts for one in session), max(one.ts for one in session))
            for session in self._sessions()
        ]

    def sessions_per_day(self) -> list[Row]:
        lengths: dict[date, list[float]] = defaultdict(list)
        for session in self._sessions():
            start = min(one.ts for one in session)
            span = (max(one.ts for one in session) - start).total_seconds()
            measured = max(one.duration_ms for one in session) / 1000
            lengths[start.date()].append(max(span, measured))
        return [
            (one, len(found), _quantile(0.5, found), _quantile(0.95, found))
            for one, found in sorted(lengths.items())
        ]

    def crash_free_devices(self) -> list[Row]:
        releases = _grouped(self._events, lambda one: one.app_version)
        return [
            (release, *_crash_free(len(_devices(events)), len(_devices(_crashes(events)))))
            for release, events in sorted(releases.items())
        ]

    def crash_free_sessions(self) -> list[Row]:
        events = [one for session in self._sessions() for one in session]
        releases = _grouped(events, lambda one: one.app_version)
        return [
            (
                release,
                *_crash_free(
                    len({one.session_id for one in found}),
                    len({one.session_id for one in _crashes(found)}),
                ),
            )
            for release, found in sorted(releases.items())
        ]

    def top_crash_groups(self) -> list[Row]:
        groups = _grouped(_crashes(self._events), lambda one: one.crash_group)
        largest_first = sorted(groups.items(), key=lambda one: (-len(one[1]), one[0]))
        return [
            (
                f"{group:016x}",
                max(one.crash_type for one in found),
                max(one.crash_reason for one in found),
                len(found),
                len(_devices(found)),
                min(one.ts for one in found),
                max(one.ts for one in found),
            )
            for group, found in largest_first
        ]

    def retention(self) -> list[Row]:
        found: dict[tuple[date, int], int] = defaultdict(int)
        for events in _grouped(self.all, lambda one: one.device_id).values():
            days = {one.ts.date() for one in events if one.ts.date() <= self.last}
            if days and min(days) >= self.first:
                for one in days:
                    found[min(days), (one - min(days)).days] += 1
        return [(*key, count) for key, count in sorted(found.items())]

    def freshness(self) -> list[Row]:
        seconds = [
            (one.inserted_at - one.received_at).total_seconds()
            for one in self.all
            if self.within(one.received_at)
        ]
        return [(_quantile(0.5, seconds), _quantile(0.99, seconds))] if seconds else []

    def timeline(self, device_id: str) -> list[UUID]:
        """Event ids in the device's order: those that count by their sequence, the others behind
        the highest one reached by then."""
        reached = 0
        keys: dict[UUID, tuple[int, bool, datetime]] = {}
        for one in sorted(self._events, key=lambda one: (one.ts, one.sequence)):
            if one.device_id == device_id:
                reached = max(reached, one.sequence)
                keys[one.event_id] = (one.sequence or reached, one.sequence == 0, one.ts)
        return sorted(keys, key=lambda event_id: keys[event_id])


def _grouped(
    events: Iterable[Happened], key: Callable[[Happened], Key]
) -> dict[Key, list[Happened]]:
    groups: dict[Key, list[Happened]] = defaultdict(list)
    for one in events:
        groups[key(one)].append(one)
    return groups


def _devices(events: Iterable[Happened]) -> set[str]:
    return {one.device_id for one in events}


def _crashes(events: Iterable[Happened]) -> list[Happened]:
    return [one for one in events if one.event_type == "app_crash"]


def _crash_free(everyone: int, crashed: int) -> tuple[int, float]:
    return everyone, 100 * (1 - crashed / everyone)


def _quantile(level: float, values: Sequence[float]) -> float:
    """Between the two values around the place, as spreadsheets and numpy have it."""
    place = level * (len(values) - 1)
    below, above = sorted(values)[int(place)], sorted(values)[min(int(place) + 1, len(values) - 1)]
    return below + (above - below) * (place - int(place))
