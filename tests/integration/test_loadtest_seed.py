"""Seeding: a data set that is the same each time, whole, and fit to be asked about."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.runtime import BAD_USAGE
from loadtest.__main__ import app as command
from loadtest.seed import SeedPlan, run_seed
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.histories import new_app

LAST = date(2026, 10, 31)


def plan(app_id: str, seed: int = 7) -> SeedPlan:
    return SeedPlan(app=app_id, events=12_000, devices=400, days=10, last=LAST, seed=seed)


async def seeded(client: AsyncClient, of: SeedPlan) -> int:
    return await run_seed(client, of, Console(file=io.StringIO()))


async def fingerprint(client: AsyncClient, app_id: str) -> tuple[object, ...]:
    """Of every event, whatever app it is in."""
    found = await client.query(
        "SELECT count(), uniqExact(event_id), groupBitXor(cityHash64(event_id, ts, device_id,"
        " event_type, app_version, sequence, crash_group)) FROM telemetry.events FINAL"
        " WHERE app_id = {app:String}",
        parameters={"app": app_id},
    )
    return tuple(found.result_rows[0])


class TestSeed:
    async def test_the_same_seed_is_the_same_events_and_another_one_others(
        self, writer: AsyncClient
    ) -> None:
        first, same, other = new_app(), new_app(), new_app()
        await seeded(writer, plan(first))
        await seeded(writer, plan(same))
        await seeded(writer, plan(other, seed=8))

        assert await fingerprint(writer, first) == await fingerprint(writer, same)
        assert await fingerprint(writer, first) != await fingerprint(writer, other)

    async def test_a_second_time_nothing_is_added(self, writer: AsyncClient) -> None:
        app_id = new_app()
        stored = await seeded(writer, plan(app_id))

        again = await seeded(writer, plan(app_id))

        found = await writer.query(
            "SELECT count(), (SELECT sum(events) FROM telemetry.hourly WHERE app_id = {app:String})"
            " FROM telemetry.events WHERE app_id = {app:String}",
            parameters={"app": app_id},
        )
        assert again == stored
        assert tuple(found.result_rows[0]) == (stored, stored)

    async def test_there_are_about_as_many_as_asked_for_and_the_account_closes(
        self, writer: AsyncClient
    ) -> None:
        app_id = new_app()

        stored = await seeded(writer, plan(app_id))

        period = {
            "app": app_id,
            "first": LAST - timedelta(days=9),
            "last": LAST + timedelta(days=2),
        }
        account = await ask(writer, "account", **period)
        assert stored == pytest.approx(12_000, rel=0.15)
        assert sum(int(str(row[2])) for row in account) == stored
        assert [row for row in account if row[7]] == []

    async def test_every_question_has_something_to_answer(self, writer: AsyncClient) -> None:
        app_id = new_app()
        await seeded(writer, plan(app_id))
        period = {"app": app_id, "first": LAST - timedelta(days=9), "last": LAST}

        sessions = await ask(writer, "session_length", **period)
        releases = await ask(writer, "crash_free_releases", **period)
        retention = await ask(writer, "retention", **period)
        funnel = await ask(writer, "funnel", steps="app_open,view_item,purchase", **period)
        missing = await ask(writer, "account_by_release", **period)

        assert len(sessions) == 10
        assert all(0 < float(str(row[4])) < 50 for row in sessions)
        assert len(releases) > 3
        assert min(float(str(row[4])) for row in releases) < 99
        assert len({row[0] for row in retention}) == 10
        assert funnel[0][2] == 400
        assert int(str(funnel[2][2])) < int(str(funnel[1][2])) < 400
        assert sum(int(str(row[8])) for row in missing) > 0


class TestCommand:
    def test_devices_have_a_session_each(self) -> None:
        asked = ["seed", "--events", "7000", "--devices", "1000"]

        answer = CliRunner().invoke(command, asked)

        assert answer.exit_code == BAD_USAGE
        assert "--events: 1000 devices have at least 7500 events" in answer.stderr
