"""The pieces that the models of the named queries share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from tests.histories import Happened

Row = tuple[object, ...]
Key = TypeVar("Key")


def by_key(events: Iterable[Happened], key: Callable[[Happened], Key]) -> dict[Key, list[Happened]]:
    groups: dict[Key, list[Happened]] = defaultdict(list)
    for one in events:
        groups[key(one)].append(one)
    return groups


def devices_of(events: Iterable[Happened]) -> set[str]:
    return {one.device_id for one in events}


def crashes_of(events: Iterable[Happened]) -> list[Happened]:
    return [one for one in events if one.event_type == "app_crash"]


def percent(some: int, everyone: int) -> float | None:
    """None of nobody."""
    return 100 * some / everyone if everyone else None


def crash_free(everyone: int, crashed: int) -> tuple[int, float]:
    return everyone, 100 - 100 * crashed / everyone


def quantile(level: float, values: Sequence[float]) -> float | None:
    """Between the two values around the place, as spreadsheets and numpy have it."""
    if not values:
        return None
    place = level * (len(values) - 1)
    below, above = sorted(values)[int(place)], sorted(values)[min(int(place) + 1, len(values) - 1)]
    return below + (above - below) * (place - int(place))


def step_of(one: Happened, steps: Sequence[str]) -> str:
    """The step that an event is; empty: none."""
    return next((name for name in (one.event_name, one.event_type) if name in steps), "")


def step_reached(events: Sequence[Happened], steps: Sequence[str], window: timedelta) -> int:
    """How many steps some of the events are: none before the one in front of it, the last within
    the window of the first. Tries every event as the first step."""
    done = [(step_of(one, steps), one.ts) for one in events]
    starts = [ts for step, ts in done if step == steps[0]]
    return max((_from(start, done, steps, window) for start in starts), default=0)


def _from(
    start: datetime, done: Sequence[tuple[str, datetime]], steps: Sequence[str], window: timedelta
) -> int:
    """The earliest event that fits is the best next step."""
    at, reached = start, 1
    for name in steps[1:]:
        later = [ts for step, ts in done if step == name and at <= ts <= start + window]
        if not later:
            break
        at, reached = min(later), reached + 1
    return reached
