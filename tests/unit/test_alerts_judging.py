"""What answers of named queries mean."""

from __future__ import annotations

from datetime import date

import pytest

from sinks.alerts.judge import Question, judge, question
from sinks.alerts.rules import CrashFreeRate, Silence, Spike, TimerRule

RATE = CrashFreeRate(channels=["c"], apps=["shop"], below_percent=99.5, at_least=100)
SPIKE = Spike(channels=["c"], apps=["shop"], factor=3, at_least=50)
SILENCE = Silence(channels=["c"], apps=["shop"], window_minutes=30, at_least=10)


def test_each_rule_asks_its_query() -> None:
    today = date(2026, 11, 24)
    week = CrashFreeRate(channels=["c"], apps=["shop"], below_percent=99, of="devices", days=7)

    assert question(week, "shop", today) == Question(
        "crash_free_devices", {"app": "shop", "from": "2026-11-18", "to": "2026-11-24"}
    )
    assert question(SPIKE, "shop", today) == Question(
        "recent_activity", {"app": "shop", "minutes": "60", "event_type": "app_crash"}
    )
    assert question(SILENCE, "shop", today) == Question(
        "recent_activity", {"app": "shop", "minutes": "30", "event_type": ""}
    )


def test_a_release_below_the_limit_is_found_unless_too_few_use_it() -> None:
    rows = [
        {"app_version": "1.0", "sessions": 1000, "crash_free_percent": 99.5},
        {"app_version": "1.1", "sessions": 100, "crash_free_percent": 99.499},
        {"app_version": "1.2", "sessions": 99, "crash_free_percent": 10.0},
    ]

    (found,) = judge(RATE, "shop", rows, 0)

    assert (found.app, found.release) == ("shop", "1.1")
    assert found.title == "99.499% of sessions are crash-free, less than 99.5%"


@pytest.mark.parametrize(
    ("rule", "events", "before", "week_ago", "is_found"),
    [
        (SPIKE, 50, 0, 0, True),
        (SPIKE, 49, 0, 0, False),
        (SPIKE, 150, 0, 50, True),
        (SPIKE, 149, 0, 50, False),
        (SILENCE, 0, 10, 0, True),
        (SILENCE, 0, 0, 10, True),
        (SILENCE, 0, 9, 9, False),
        (SILENCE, 1, 999, 999, False),
    ],
)
def test_a_spike_and_a_silence_are_found_from_their_limits_on(
    rule: TimerRule, events: int, before: int, week_ago: int, *, is_found: bool
) -> None:
    row = {"events": events, "events_before": before, "events_week_ago": week_ago}

    assert bool(judge(rule, "shop", [row], 0)) == is_found


def test_no_answer_is_nothing_wrong() -> None:
    assert [judge(rule, "shop", [], 0) for rule in (RATE, SPIKE, SILENCE)] == [[], [], []]
