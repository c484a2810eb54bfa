"""The rules that ask ClickHouse, on the engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from gateway.runtime import now_ms
from sinks.alerts.metrics import Metrics
from sinks.alerts.rules import CrashFreeRate, Silence, Spike, TimerRule
from sinks.alerts.timers import Timers
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import Happened, event, new_app
from tests.stored import StoredChunk, store

WEEK = timedelta(days=7)


def crashes(app: str, count: int, ago: timedelta, **changes: object) -> list[Happened]:
    """Crashes that arrived so long ago, on as many devices."""
    at = datetime.now(UTC).replace(microsecond=0) - ago
    return [
        event(app, **{"ts": at, "received_at": at, "event_type": "app_crash",
                      "device_id": f"device-{one}", **changes})
        for one in range(count)
    ]  # fmt: skip


async def look(clickhouse: ClickHouseUnderTest, *rules: TimerRule) -> list[tuple[str, str]]:
    """App and title of what the rules find."""
    server = sql.Server(
        url=clickhouse.url, user=clickhouse.reader, password=clickhouse.reader_password
    )
    timers = Timers(rules, server, Metrics(), time.monotonic)
    try:
        found = await timers.look(now_ms())
        assert await timers.look(now_ms()) == []  # not due yet
    finally:
        await timers.close()
    return [(one.app, one.title) for _, one in found]


async def test_recent_activity_counts_three_stretches_and_copies_once(
    writer: AsyncClient, reader: AsyncClient
) -> None:
    app = new_app()
    recent = crashes(app, 3, timedelta(minutes=5))
    events = [
        *recent,
        *crashes(app, 4, timedelta(minutes=90)),
        *crashes(app, 5, WEEK + timedelta(minutes=30)),
        *crashes(app, 6, timedelta(hours=3)),
        *crashes(app, 7, WEEK - timedelta(minutes=30)),
        *crashes(app, 8, WEEK + timedelta(minutes=90)),
        *crashes(app, 1, timedelta(minutes=5), event_type="app_open"),
    ]
    await store(writer, StoredChunk(events=events))
    await store(writer, StoredChunk(events=recent))

    assert await ask(reader, "recent_activity", app=app) == [(4, 4, 5)]
    assert await ask(reader, "recent_activity", app=app, event_type="app_crash") == [(3, 4, 5)]
    assert await ask(reader, "recent_activity", app=app, minutes=1) == []


async def test_a_spike_and_a_silence_are_found(
    writer: AsyncClient, clickhouse: ClickHouseUnderTest
) -> None:
    spiking, steady, silent = new_app(), new_app(), new_app()
    events = [
        *crashes(spiking, 60, timedelta(minutes=5)),
        *crashes(spiking, 20, WEEK + timedelta(minutes=5)),
        *crashes(steady, 60, timedelta(minutes=5)),
        *crashes(steady, 60, WEEK + timedelta(minutes=5)),
        *crashes(silent, 12, timedelta(minutes=45)),
    ]
    await store(writer, StoredChunk(events=events))
    apps = [spiking, steady, silent]
    spike = Spike(channels=["c"], apps=apps, name="spike")
    silence = Silence(channels=["c"], apps=apps, name="silence")

    assert await look(clickhouse, spike, silence) == [
        (spiking, "60 app_crash in 60 minutes, 20 a week ago"),
        (silent, "no event for 30 minutes"),
    ]


async def test_a_release_that_crashes_too_much_is_found(
    writer: AsyncClient, clickhouse: ClickHouseUnderTest
) -> None:
    app = new_app()
    now = timedelta(0)
    events = [
        *crashes(app, 10, now, event_type="app_open", app_version="1.0"),
        *crashes(app, 10, now, event_type="app_open", app_version="1.1"),
        *crashes(app, 3, now, app_version="1.1"),
    ]
    await store(writer, StoredChunk(events=events))
    rule = CrashFreeRate(
        channels=["c"], apps=[app], of="devices", below_percent=99, at_least=10, days=2, name="rate"
    )

    assert await look(clickhouse, rule) == [(app, "70% of devices are crash-free, less than 99%")]


async def test_without_clickhouse_there_is_no_answer_and_no_alert() -> None:
    server = sql.Server(url="http://127.0.0.1:9", user="x", password="x")
    metrics = Metrics()
    timers = Timers(
        [Silence(channels=["c"], apps=["shop"], name="silence")], server, metrics, time.monotonic
    )

    assert await timers.look(now_ms()) == []

    labels = {"rule": "silence"}
    failures = metrics.registry.get_sample_value("telemetry_alerts_query_failures_total", labels)
    assert failures == 1
