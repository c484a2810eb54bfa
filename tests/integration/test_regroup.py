"""Stored crashes grouped again: what changes, what does not, and what a run that was cut leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway.contract.grouping.group import GROUP_VERSION, group_of
from gateway.runtime import FOUND_WRONG, GOOD
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from sinks.regroup.regroup import Regrouping, Report
from tests.asking import ask
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import Happened, at, day, event, new_app
from tests.integration.test_query_command import telemetry_sink
from tests.stored import StoredChunk, store

OTHER_TABLES = {  # and their columns, as far as a client can read them
    "sessions": "*",
    "device_days": "*",
    "hourly": "* EXCEPT (devices)",
    "chunks": "*",
}


def stack_of(place: int) -> str:
    return f"at com.example.Cart.open{place}(Cart.kt:1)\nat com.example.App.main(App.kt:2)"


def group_at(place: int) -> int:
    return group_of("exception", "E", "", stack_of(place))


def crash(app_id: str, place: int, **changes: object) -> Happened:
    """A crash at that place in the code, as an older rule grouped it: all places alike."""
    values: dict[str, object] = {
        "event_type": "app_crash",
        "crash_kind": "exception",
        "crash_type": "E",
        "crash_stack": stack_of(place),
        "crash_group": 7,
        "crash_group_version": GROUP_VERSION - 1,
        "session_id": uuid4(),
    }
    return event(app_id, **{**values, **changes})


def current(app_id: str, place: int, **changes: object) -> Happened:
    values: dict[str, object] = {
        "crash_group": group_at(place),
        "crash_group_version": GROUP_VERSION,
    }
    return crash(app_id, place, **{**values, **changes})


async def run(client: AsyncClient) -> Report:
    work = Regrouping(client, datetime.now(UTC), lambda number: None)
    return await work.run(await work.months())


async def rows(client: AsyncClient, text: str, app_id: str) -> list[tuple[Any, ...]]:
    found = await client.query(text, parameters={"app": app_id})
    return [tuple(row) for row in found.result_rows]


async def groups(client: AsyncClient, app_id: str) -> list[tuple[Any, ...]]:
    """What `crash_groups` has of the app, as if all its parts were merged."""
    return await rows(
        client,
        "SELECT crash_group, app_version, day, uniqExactMerge(crashes), uniqExactMerge(devices),"
        " max(crash_stack), min(first_seen), max(last_seen) FROM telemetry.crash_groups"
        " WHERE app_id = {app:String} GROUP BY crash_group, app_version, day ORDER BY 1, 2, 3",
        app_id,
    )


async def counted(client: AsyncClient, app_id: str) -> list[tuple[Any, ...]]:
    """The same, counted from the events."""
    return await rows(
        client,
        "SELECT crash_group, app_version, toDate(ts) AS day, uniqExact(event_id),"
        " uniqExact(device_id), max(crash_stack), min(ts), max(ts) FROM telemetry.events"
        " WHERE app_id = {app:String} AND event_type = 'app_crash'"
        " GROUP BY crash_group, app_version, day ORDER BY 1, 2, 3",
        app_id,
    )


async def stored(client: AsyncClient, app_id: str) -> list[tuple[Any, ...]]:
    return await rows(
        client,
        "SELECT crash_stack, crash_group, crash_group_version FROM telemetry.events"
        " WHERE app_id = {app:String} ORDER BY event_id",
        app_id,
    )


class TestRegroup:
    async def test_moves_crashes_and_counts_their_days_again(self, writer: AsyncClient) -> None:
        app_id = new_app()
        crashes = [
            crash(app_id, number % 3, ts=at(number), device_id=f"d{number % 2}")
            for number in range(20)
        ]
        caught = crash(app_id, 1, event_type="error")
        right = crash(app_id, 2, crash_group=group_at(2))
        await store(writer, StoredChunk(events=[*crashes, caught, right, current(app_id, 0)]))

        report = await run(writer)

        assert (report.read, report.moved, report.left) == (22, 21, 0)
        assert {(group, version) for _, group, version in await stored(writer, app_id)} == {
            (group_at(place), GROUP_VERSION) for place in range(3)
        }
        assert await groups(writer, app_id) == await counted(writer, app_id)
        top = await ask(writer, "top_crash_groups", app=app_id, first=day(0), last=day(20))
        assert [(row[0], row[3]) for row in top[:1]] == [(f"{group_at(0):016x}", 8)]

    async def test_touches_nothing_else(self, writer: AsyncClient) -> None:
        app_id = new_app()
        events = [crash(app_id, number, ts=at(number)) for number in range(5)]
        plain = [event(app_id, session_id=uuid4()), event(app_id, event_type="app_crash")]
        await store(writer, StoredChunk(events=[*events, *plain], duplicates=1))
        texts = {
            "events": "SELECT * EXCEPT (crash_group, crash_group_version) FROM telemetry.events"
            " WHERE app_id = {app:String}",
            "plain": "SELECT crash_group, crash_group_version FROM telemetry.events"
            " WHERE app_id = {app:String} AND crash_kind = ''",
            **{
                name: f"SELECT {columns} FROM telemetry.{name} WHERE app_id = {{app:String}}"
                for name, columns in OTHER_TABLES.items()
            },
        }

        async def all_rows() -> dict[str, list[str]]:
            return {
                name: sorted(map(str, await rows(writer, text, app_id)))
                for name, text in texts.items()
            }

        before = await all_rows()

        assert (await run(writer)).moved == 5

        assert await all_rows() == before
        assert before["plain"] == ["(0, 0)", "(0, 0)"]

    async def test_a_second_run_has_nothing_to_do(self, writer: AsyncClient) -> None:
        app_id = new_app()
        await store(writer, StoredChunk(events=[crash(app_id, 1)]))
        await run(writer)
        before = await groups(writer, app_id)

        again = await run(writer)

        assert again == Report()
        assert await groups(writer, app_id) == before

    async def test_reads_page_by_page_and_moves_list_by_list(self, writer: AsyncClient) -> None:
        app_id = new_app()
        events = [
            crash(app_id, number, device_id=f"d{number % 3}", ts=at(10, seconds=number // 2))
            for number in range(24)
        ]
        await store(writer, StoredChunk(events=events))
        await store(writer, StoredChunk(events=events[:12]), again="copies")
        work = Regrouping(writer, datetime.now(UTC), lambda number: None, page_rows=5, move_rows=9)

        await work.run(await work.months())

        assert {(stack, group) for stack, group, _ in await stored(writer, app_id)} == {
            (stack_of(place), group_at(place)) for place in range(24)
        }
        assert await groups(writer, app_id) == await counted(writer, app_id)

    async def test_rows_that_may_still_be_on_their_way_are_left_and_told(
        self, writer: AsyncClient
    ) -> None:
        app_id = new_app()
        young = crash(app_id, 1, inserted_at=datetime.now(UTC) - timedelta(seconds=1))
        await store(writer, StoredChunk(events=[young]))

        report = await run(writer)

        assert (report.read, report.left) == (0, 1)
        assert await stored(writer, app_id) == [(stack_of(1), 7, GROUP_VERSION - 1)]
        later = Regrouping(writer, datetime.now(UTC) + timedelta(hours=1), lambda number: None)
        assert (await later.run(await later.months())).moved == 1


class Cut(Exception):
    """The process ends here."""


class CutClient:
    """A client whose process ends after some of its statements."""

    def __init__(self, client: AsyncClient, statements: int) -> None:
        self._client, self._left = client, statements

    async def query(self, *arguments: Any, **options: Any) -> Any:
        return await self._client.query(*arguments, **options)

    async def command(self, *arguments: Any, **options: Any) -> Any:
        if self._left == 0:
            raise Cut
        self._left -= 1
        return await self._client.command(*arguments, **options)


class TestCutRun:
    @pytest.mark.parametrize("statements", [0, 1, 2, 3])
    async def test_the_next_one_finishes_it(self, writer: AsyncClient, statements: int) -> None:
        """Statements are: move, forget days, count days, mark."""
        app_id = new_app()
        crashes: Sequence[Happened] = [crash(app_id, place) for place in range(3)]
        await store(writer, StoredChunk(events=crashes))
        client: Any = CutClient(writer, statements)
        with pytest.raises(Cut):
            await run(client)

        await run(writer)

        assert {row[1:] for row in await stored(writer, app_id)} == {
            (group_at(place), GROUP_VERSION) for place in range(3)
        }
        assert await groups(writer, app_id) == await counted(writer, app_id)
        assert len(await groups(writer, app_id)) == 3


class TestBesideTheSink:
    async def test_what_is_stored_meanwhile_is_counted_once(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        app_id = new_app()
        old = [crash(app_id, number % 5, ts=at(number % 9)) for number in range(200)]
        await store(writer, StoredChunk(events=old))
        sink = await sql.connect(clickhouse.server())
        topic = f"events-{uuid4()}"

        async def go_on_storing(until: asyncio.Event) -> int:
            start = 0
            while not until.is_set():
                new = [current(app_id, start % 5, ts=at(start % 9))]
                await store(sink, StoredChunk(events=new, start=start, topic=topic))
                start += 1
            return start

        done = asyncio.Event()
        storing = asyncio.create_task(go_on_storing(done))
        report = await run(writer)
        done.set()
        more = await storing
        await sink.close()

        assert more > 0
        assert report.read == 200
        found = await groups(writer, app_id)
        assert found == await counted(writer, app_id)
        assert sum(row[3] for row in found) == 200 + more


class TestCommand:
    async def test_says_what_it_did(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        app_id = new_app()
        await store(writer, StoredChunk(events=[crash(app_id, place) for place in (1, 2)]))
        account = {
            "TELEMETRY_CLICKHOUSE_USER": clickhouse.user,
            "TELEMETRY_CLICKHOUSE_PASSWORD": clickhouse.password,
        }

        first = telemetry_sink(clickhouse, "regroup", **account)
        second = telemetry_sink(clickhouse, "regroup", **account)

        assert (first.returncode, second.returncode) == (GOOD, GOOD), first.stderr
        head = f"version {GROUP_VERSION}: "
        assert first.stdout.startswith(f"{head}2 crashes read, 2 have another group now, ")
        assert second.stdout.startswith(f"{head}0 crashes read, 0 have another group now, ")

    async def test_who_may_only_read_is_told_so(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        await store(writer, StoredChunk(events=[crash(new_app(), 1)]))

        done = telemetry_sink(clickhouse, "regroup")

        assert done.returncode == FOUND_WRONG
        assert done.stderr.strip().splitlines()[-1].startswith("telemetry-sink: ")
        await run(writer)
