"""The schema on an engine of its own: applied once each, in order, and what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.clickhouse import sql
from sinks.clickhouse.schema_files import Migration, migrations
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import Happened, at, day, event, new_app, random_history
from tests.stored import StoredChunk, store

TABLES = ("events", "sessions", "device_days", "hourly", "crash_groups", "chunks")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    """An engine without a schema."""
    front = ClickHouseUnderTest(tmp_path_factory.mktemp("clickhouse"))
    front.start()
    yield front
    assert front.stop() == 0


@pytest.fixture
async def client(engine: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(engine.server())
    yield client
    await client.close()


@pytest.fixture
async def migrated(client: AsyncClient) -> AsyncClient:
    await sql.apply_schema(client)
    return client


async def rows(client: AsyncClient, text: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in (await client.query(text)).result_rows]


class TestMigration:
    async def test_two_at_once_leave_what_one_leaves(
        self, engine: ClickHouseUnderTest, client: AsyncClient
    ) -> None:
        other = await sql.connect(engine.server())
        every = [one.name for one in migrations()]

        async with asyncio.TaskGroup() as both:
            first = both.create_task(sql.apply_schema(client))
            second = both.create_task(sql.apply_schema(other))
        await other.close()

        assert set(first.result()) | set(second.result()) == set(every)
        assert await sql.apply_schema(client) == []
        found = await rows(client, "SELECT name FROM telemetry.schema_migrations FINAL ORDER BY 1")
        assert [row[0] for row in found] == every

    async def test_a_second_time_there_is_nothing_to_do(self, migrated: AsyncClient) -> None:
        assert await sql.apply_schema(migrated) == []

    async def test_a_file_edited_after_it_was_applied_is_an_error_and_changes_nothing(
        self, migrated: AsyncClient
    ) -> None:
        first, *others = migrations()
        edited = Migration(first.name, first.sql + "\nCREATE DATABASE telemetry_edited;\n")

        with pytest.raises(sql.SchemaError, match=f"{first.name} was changed after"):
            await sql.apply_schema(migrated, [edited, *others])

        assert not await rows(migrated, "SHOW DATABASES LIKE 'telemetry_edited'")

    async def test_a_statement_that_fails_is_told_by_file_and_place(
        self, migrated: AsyncClient
    ) -> None:
        wrong = Migration("0900_wrong.sql", "SELECT 1;\n-- why\nCREATE TABLE telemetry.t (a Oops);")

        with pytest.raises(sql.SchemaError, match=r"^0900_wrong\.sql, statement 2: .*Oops") as told:
            await sql.apply_schema(migrated, [*migrations(), wrong])

        assert "\n" not in str(told.value)
        assert await sql.apply_schema(migrated) == []  # it is not on record as applied

    async def test_a_reader_cannot_apply_it(self, engine: ClickHouseUnderTest) -> None:
        reader = await sql.connect(
            sql.Server(url=engine.url, user=engine.reader, password=engine.reader_password)
        )

        with pytest.raises(sql.SchemaError, match="ACCESS_DENIED"):
            await sql.apply_schema(reader)

        await reader.close()


class TestConnecting:
    async def test_a_wrong_password_is_one_line_without_it(
        self, engine: ClickHouseUnderTest
    ) -> None:
        wrong = sql.Server(url=engine.url, user=engine.user, password="no-such-password")

        with pytest.raises(sql.Unreachable, match="AUTHENTICATION_FAILED") as told:
            await sql.connect(wrong)

        assert "\n" not in str(told.value)
        assert "no-such-password" not in str(told.value)

    async def test_a_server_that_hangs_up_is_told(self) -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()[:2]

            with pytest.raises(sql.Unreachable, match=f"ClickHouse at {host}:{port}: "):
                await sql.connect(sql.Server(url=f"http://{host}:{port}", user="u", password="p"))


class TestTokens:
    """The same insert again is no insert at all: in `events` and in every view behind it."""

    async def test_a_chunk_sent_again_writes_no_part_anywhere(self, migrated: AsyncClient) -> None:
        chunk = StoredChunk(events=_with_a_crash(new_app()))
        await migrated.command("SYSTEM STOP MERGES")
        await store(migrated, chunk)
        before = await _parts(migrated)

        await store(migrated, chunk)

        assert await _parts(migrated) == before
        assert {table for table, _ in before} >= set(TABLES)
        await migrated.command("SYSTEM START MERGES")

    @pytest.mark.parametrize("table", TABLES)
    async def test_without_the_window_of_a_table_it_is_written_again(
        self, migrated: AsyncClient, table: str
    ) -> None:
        setting = (
            f"ALTER TABLE telemetry.{table} MODIFY SETTING non_replicated_deduplication_window"
        )
        chunk = StoredChunk(events=_with_a_crash(new_app()))
        await migrated.command("SYSTEM STOP MERGES")
        await migrated.command(f"{setting} = 0")
        await store(migrated, chunk)
        before = await _parts(migrated)

        await store(migrated, chunk)

        assert {one for one, _ in await _parts(migrated) - before} == {table}
        await migrated.command(f"{setting} = 10000")
        await migrated.command("SYSTEM START MERGES")


class TestTimes:
    async def test_events_of_120_months_go_in_with_one_insert(self, migrated: AsyncClient) -> None:
        app_id = new_app()
        now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        months = [now - timedelta(days=30.4375 * month) for month in range(120)]
        events = [
            event(app_id, ts=one, received_at=now, inserted_at=now, session_id=new_uuid)
            for one, new_uuid in zip(months, _session_ids(len(months)), strict=True)
        ]
        assert len({(one.year, one.month) for one in months}) == 120

        await store(migrated, StoredChunk(events=events))

        kept = await rows(
            migrated, f"SELECT count() FROM telemetry.events WHERE app_id = '{app_id}'"
        )
        recent = await rows(
            migrated,
            f"SELECT count() FROM telemetry.sessions WHERE app_id = '{app_id}'"
            " AND day > today() - 395",
        )
        assert kept == [(120,)]
        assert recent == [(len([one for one in months if (now - one).days < 395]),)]

    async def test_a_device_clock_may_say_anything(self, migrated: AsyncClient) -> None:
        app_id = new_app()
        first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2149, 6, 5, 23, 59, tzinfo=UTC)
        step = (last - first) / 500
        clocks = [first + step * number for number in range(500)] + [last]
        events = [event(app_id, ts=at(10), occurred_at=_whole_ms(one)) for one in clocks]

        await store(migrated, StoredChunk(events=events))

        found = await rows(
            migrated,
            "SELECT uniqExact(event_id), min(occurred_at), max(occurred_at)"
            f" FROM telemetry.events WHERE app_id = '{app_id}'",
        )
        assert [(row[0], str(row[1])[:10], str(row[2])[:10]) for row in found] == [
            (501, "1970-01-01", "2149-06-05")
        ]


class TestExistingData:
    async def test_later_files_go_onto_data_that_is_there(self, tmp_path: Path) -> None:
        engine = ClickHouseUnderTest(tmp_path)
        engine.start()
        client = await sql.connect(engine.server())
        app_id, session = new_app(), uuid4()
        opened, closed = (
            event(app_id, ts=at(10, minutes=minute), session_id=session, country=country, **more)
            for minute, country, more in ((0, "", {}), (2, "DE", {"event_type": "app_close"}))
        )
        await sql.apply_schema(client, migrations()[:6])
        await store(client, StoredChunk(events=[opened]))

        await sql.apply_schema(client)
        await store(client, StoredChunk(events=[closed]))

        period = {"app": app_id, "first": day(10), "last": day(10), "country": "DE"}
        sessions = await ask(client, "session_length", **period)
        active = await ask(client, "daily_active_devices", **period)
        await client.close()
        assert engine.stop() == 0
        assert sessions == [(str(day(10)), 1, 120.0, 120.0, 0.0, 0.0)]
        assert active == [(str(day(10)), 1)]


def _with_a_crash(app_id: str) -> list[Happened]:
    """A history that reaches every view."""
    events = random_history(5, [app_id])
    assert "app_crash" in {one.event_type for one in events}
    return events


def _session_ids(count: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, count + 1)]


def _whole_ms(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


async def _parts(client: AsyncClient) -> set[tuple[object, ...]]:
    return set(
        await rows(client, "SELECT table, name FROM system.parts WHERE database = 'telemetry'")
    )
