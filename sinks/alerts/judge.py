"""Rules over answers of named queries: what to ask, and what an answer means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from msgspec import Struct

from sinks.alerts.alert import Finding
from sinks.alerts.rules import CrashFreeRate, Silence, Spike, TimerRule

Row = Mapping[str, object]


class Question(Struct, frozen=True):
    """A named query with its parameters."""

    query: str
    params: dict[str, str]


def question(rule: TimerRule, app: str, today: date) -> Question:
    if isinstance(rule, CrashFreeRate):
        period = {"from": str(today - timedelta(days=rule.days - 1)), "to": str(today)}
        return Question(f"crash_free_{rule.of}", {"app": app, **period})
    event_type = rule.event_type if isinstance(rule, Spike) else ""
    params = {"app": app, "minutes": str(rule.window_minutes), "event_type": event_type}
    return Question("recent_activity", params)


def judge(rule: TimerRule, app: str, rows: Iterable[Row], now_ms: int) -> list[Finding]:
    """What is wrong by this answer."""
    found: list[Finding] = []
    for row in rows:
        if isinstance(rule, CrashFreeRate):
            one = _rate(rule, app, row, now_ms)
        elif isinstance(rule, Spike):
            one = _spike(rule, app, row, now_ms)
        else:
            one = _silence(rule, app, row, now_ms)
        if one is not None:
            found.append(one)
    return found


def _rate(rule: CrashFreeRate, app: str, row: Row, now_ms: int) -> Finding | None:
    count, percent = _number(row[rule.of]), _number(row["crash_free_percent"])
    if count < rule.at_least or percent >= rule.below_percent:
        return None
    title = f"{percent:g}% of {rule.of} are crash-free, less than {rule.below_percent:g}%"
    facts = [(rule.of, f"{count:g}"), ("days", str(rule.days))]
    return Finding(
        app=app, release=str(row["app_version"]), source=str(now_ms), title=title, facts=facts
    )


def _spike(rule: Spike, app: str, row: Row, now_ms: int) -> Finding | None:
    count, before = _number(row["events"]), _number(row["events_week_ago"])
    if count < rule.at_least or count < rule.factor * before:
        return None
    title = f"{count:g} {rule.event_type} in {rule.window_minutes} minutes, {before:g} a week ago"
    return Finding(app=app, release="", source=str(now_ms), title=title)


def _silence(rule: Silence, app: str, row: Row, now_ms: int) -> Finding | None:
    before, week_ago = _number(row["events_before"]), _number(row["events_week_ago"])
    if _number(row["events"]) or max(before, week_ago) < rule.at_least:
        return None
    title = f"no event for {rule.window_minutes} minutes"
    facts = [
        (f"events in the {rule.window_minutes} minutes before", f"{before:g}"),
        ("events in these minutes a week ago", f"{week_ago:g}"),
    ]
    return Finding(app=app, release="", source=str(now_ms), title=title, facts=facts)


def _number(value: object) -> float:
    return float(str(value))
