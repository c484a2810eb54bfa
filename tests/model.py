"""What the named queries must say of a history: plain Python, obviously right and never fast."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from tests.histories import Happened
from tests.model_parts import (
    Row,
    by_key,
    crash_free,
    crashes_of,
    devices_of,
    percent,
    quantile,
    step_of,
    step_reached,
)
from tests.model_sessions import Sessions


class Filter(Struct, frozen=True):
    """What a query is narrowed to; empty: not."""

    release: str = ""
    platform: str = ""
    country: str = ""

    def params(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def of_places(self) -> Filter:
        """Without the release."""
        return Filter("", self.platform, self.country)

    def has_release(self, one: Happened) -> bool:
        return self.release in ("", one.app_version)

    def takes(self, one: Happened) -> bool:
        return self.has_release(one) and self.is_at(one.os_name, one.country)

    def is_at(self, os_name: str, country: str) -> bool:
        return self.platform in ("", os_name) and self.country in ("", country)


NO_FILTER = Filter()


class Model:
    """What is true of the events of one app, in the days [first, last]."""

    def __init__(
        self,
        events: Iterable[Happened],
        app_id: str,
        first: date,
        last: date,
        filter_: Filter = NO_FILTER,
    ) -> None:
        self.all = [one for one in events if one.app_id == app_id]
        self.app_id = app_id
        self.first, self.last = first, last
        self.filter = filter_
        self.sessions = Sessions(self.all, first, last, filter_)

    def answers(self, steps: Sequence[str], seconds: int, gap: int) -> dict[str, list[Row]]:
        """The rows of every named query about an app and a period."""
        return {
            "account_by_release": self.account_by_release(),
            "active_devices": self.active_devices(),
            "adoption": self.adoption(),
            "crash_free_devices": self.crash_free_devices(),
            "crash_free_releases": self.crash_free_releases(),
            "crash_free_sessions": self.sessions.crash_free(),
            "daily_active_devices": self.daily_active_devices(),
            "freshness": self.freshness(),
            "funnel": self.funnel(steps, seconds),
            "retention": self.retention(),
            "session_length": self.sessions.joined_per_day(gap),
            "sessions_per_day": self.sessions.per_day(),
            "top_crash_groups": self.top_crash_groups(),
        }

    def within(self, instant: datetime) -> bool:
        return self.first <= instant.date() <= self.last

    @property
    def _events(self) -> list[Happened]:
        return [one for one in self.all if self.within(one.ts)]

    def _active(self) -> dict[date, set[str]]:
        """The devices of every day there is, as the filter has them."""
        days: dict[date, set[str]] = defaultdict(set)
        for one in self.all:
            if self.filter.takes(one):
                days[one.ts.date()].add(one.device_id)
        return days

    def daily_active_devices(self) -> list[Row]:
        active = sorted(self._active().items())
        return [(day, len(devices)) for day, devices in active if self.first <= day <= self.last]

    def active_devices(self) -> list[Row]:
        active = self._active()
        found: list[Row] = []
        for day in _days(self.first, self.last):
            window = [active.get(day - timedelta(days=back), set()) for back in range(30)]
            counts = (len(window[0]), len(set().union(*window[:7])), len(set().union(*window)))
            if any(counts):
                found.append((day, *counts))
        return found

    def adoption(self) -> list[Row]:
        last_release: dict[tuple[date, str], tuple[datetime, str]] = {}
        for one in self._events:
            if self.filter.is_at(one.os_name, one.country):
                key, seen = (one.ts.date(), one.device_id), (one.ts, one.app_version)
                last_release[key] = max(seen, last_release.get(key, seen))
        devices = Counter((day, release) for (day, _), (_, release) in last_release.items())
        of_day = Counter(day for day, _ in last_release)
        return [
            (day, release, count, percent(count, of_day[day]))
            for (day, release), count in sorted(devices.items())
            if self.filter.release in ("", release)
        ]

    def _releases(self) -> dict[str, list[Happened]]:
        """The events of each release in the period, by devices that the filter takes with it."""
        found: dict[str, list[Happened]] = defaultdict(list)
        groups = by_key(self._events, lambda one: (one.app_version, one.device_id))
        for (release, _), events in groups.items():
            places_fit = [
                self.filter.platform in ("", *{one.os_name for one in events}),
                self.filter.country in ("", *{one.country for one in events}),
            ]
            if self.filter.has_release(events[0]) and all(places_fit):
                found[release] += events
        return found

    def crash_free_devices(self) -> list[Row]:
        return [
            (release, *crash_free(len(devices_of(events)), len(devices_of(crashes_of(events)))))
            for release, events in sorted(self._releases().items())
        ]

    def crash_free_releases(self) -> list[Row]:
        devices = {str(row[0]): row for row in self.crash_free_devices()}
        sessions = {str(row[0]): row for row in self.sessions.crash_free()}
        events = self._releases()
        found: list[Row] = []
        for release in sorted({*devices, *sessions}):
            of_devices = devices.get(release, (release, 0, None))
            of_sessions = sessions.get(release, (release, 0, None))
            seen = [one.ts for one in events.get(release, [])]
            found.append(
                (
                    release,
                    of_devices[1],
                    of_sessions[1],
                    of_devices[2],
                    of_sessions[2],
                    min(seen, default=None),
                    max(seen, default=None),
                )
            )
        return found

    def release_compare(self, release: str, against: str) -> list[Row]:
        """As crash_free_releases, of two; with the lengths of what their sessions did in them."""
        found: list[Row] = []
        health = {str(row[0]): row for row in self.crash_free_releases()}
        for one in dict.fromkeys((release, against)):
            if one in health:
                _, devices, sessions, free_devices, free_sessions, first, last = health[one]
                lengths, crashed = self.sessions.within_release(one)
                half, most = quantile(0.5, lengths), quantile(0.9, lengths)
                found.append(
                    (
                        one, devices, sessions, half, most, crashed, free_devices, free_sessions,
                        first, last,
                    )
                )  # fmt: skip
        return found

    def top_crash_groups(self) -> list[Row]:
        groups = by_key(crashes_of(self._events), lambda one: one.crash_group)
        largest_first = sorted(groups.items(), key=lambda one: (-len(one[1]), one[0]))
        return [
            (
                f"{group:016x}",
                max(one.crash_type for one in found),
                max(one.crash_reason for one in found),
                len(found),
                len(devices_of(found)),
                min(one.ts for one in found),
                max(one.ts for one in found),
            )
            for group, found in largest_first
        ]

    def retention(self) -> list[Row]:
        found: Counter[tuple[date, int]] = Counter()
        for events in by_key(self.all, lambda one: one.device_id).values():
            days = {one.ts.date() for one in events if one.ts.date() <= self.last}
            if not days or min(days) < self.first:
                continue
            of_first_day = [one for one in events if one.ts.date() == min(days)]
            if any(self.filter.takes(one) for one in of_first_day):
                found.update((min(days), (one - min(days)).days) for one in days)
        return [
            (cohort, number, count, found[cohort, 0], percent(count, found[cohort, 0]))
            for (cohort, number), count in sorted(found.items())
        ]

    def funnel(self, steps: Sequence[str], seconds: int) -> list[Row]:
        events = [one for one in self._events if self.filter.takes(one)]
        reached = [
            step_reached(found, steps, timedelta(seconds=seconds))
            for found in by_key(events, lambda one: one.device_id).values()
        ]
        counts = [sum(one >= step for one in reached) for step in range(1, len(steps) + 1)]
        if not counts[0] and not any(step_of(one, steps) for one in events):
            return []
        return [
            (
                number,
                name,
                counts[number - 1],
                percent(counts[number - 1], counts[0]),
                percent(counts[number - 1], counts[max(number - 2, 0)]),
            )
            for number, name in enumerate(steps, start=1)
        ]

    def freshness(self) -> list[Row]:
        seconds = [
            (one.inserted_at - one.received_at).total_seconds()
            for one in self.all
            if self.within(one.received_at) and self.filter.takes(one)
        ]
        return [(quantile(0.5, seconds), quantile(0.99, seconds))] if seconds else []

    def account_by_release(self) -> list[Row]:
        """`self.all` is in the order in which the events lie in their partition. There is no filter
        by country."""
        found: dict[tuple[datetime, str, str, str], list[int]] = defaultdict(lambda: [0] * 5)
        arrived = [one for one in self.all if self.within(one.received_at)]
        for events in by_key(arrived, lambda one: one.device_id).values():
            numbers = [one.sequence for one in events]
            for place, one in enumerate(events):
                if not (self.filter.has_release(one) and self.filter.platform in ("", one.os_name)):
                    continue
                hour = one.received_at.replace(minute=0, second=0, microsecond=0)
                cell = found[hour, one.app_version, one.sdk_name, one.sdk_version]
                below = [number for number in numbers if 0 < number < one.sequence]
                lost = one.sequence - max(below) - 1 if below else 0
                is_first = one.sequence not in numbers[:place]
                cell[0] += 1
                cell[1] += lost > 0 and is_first
                cell[2] += lost if is_first else 0
                cell[3] += one.sequence > 0 and not is_first
                cell[4] += 0 < one.sequence < ([0, *filter(None, numbers[:place])])[-1]
        return [
            (hour, self.app_id, release, sdk, version, cell[0], 0, *cell[1:])
            for (hour, release, sdk, version), cell in sorted(found.items())
        ]

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


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
