"""telemetry-sink migrate and query as processes: what they print, and their exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from uuid import uuid4

from gateway.runtime import FOUND_WRONG, GOOD
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import at, day, event, new_app
from tests.stored import StoredChunk, store


def telemetry_sink(
    engine: ClickHouseUnderTest, *arguments: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run as the reader, in a time zone that is not UTC."""
    environment = {
        **os.environ,
        "TELEMETRY_CLICKHOUSE_URL": engine.url,
        "TELEMETRY_CLICKHOUSE_USER": engine.reader,
        "TELEMETRY_CLICKHOUSE_PASSWORD": engine.reader_password,
        "TZ": "America/New_York",
        **changes,
    }
    command = [sys.executable, "-m", "sinks", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


class TestQuery:
    async def test_json_is_a_list_of_objects_of_plain_values(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        app_id, session = new_app(), uuid4()
        one = event(
            app_id,
            ts=at(10, hours=1, milliseconds=5),
            session_id=session,
            sequence=2**63,
            event_type="app_crash",
            crash_group=2**64 - 1,
            properties={"ключ": "значение"},
        )
        await store(writer, StoredChunk(events=[one], topic=app_id))

        done = telemetry_sink(
            clickhouse, "query", "device_timeline", "--format", "json",
            *("--param", f"app={app_id}", "--param", "device=device-1"),
            *("--param", f"from={day(10)}", "--param", f"to={day(10)}"),
        )  # fmt: skip

        assert done.returncode == GOOD, done.stderr
        assert json.loads(done.stdout) == [
            {
                "ts": f"{day(10)}T01:00:00.005Z",
                "event_type": "app_crash",
                "sequence": 2**63,
                "session_id": str(session),
                "app_version": "1.0",
                "event_name": "",
                "event_id": str(one.event_id),
                "occurred_at": f"{day(10)}T01:00:00.005Z",
                "received_at": f"{day(10)}T01:00:02.005Z",
                "time_quality": "as_sent",
                "user_id": "",
                "crash_group": "f" * 16,
                "properties": {"ключ": "значение"},
            }
        ]

    async def test_days_hours_and_maps_are_plain_too(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        app_id = new_app()
        await store(writer, StoredChunk(events=[event(app_id, ts=at(10, hours=12))]))
        asked = ("--format", "json", "--param", f"app={app_id}", "--param", f"from={day(0)}")

        active = telemetry_sink(clickhouse, "query", "daily_active_devices", *asked)
        account = telemetry_sink(clickhouse, "query", "account", *asked)

        assert json.loads(active.stdout) == [{"day": str(day(10)), "devices": 1}]
        (hour,) = json.loads(account.stdout)
        assert hour["hour"] == f"{day(10)}T12:00:00.000Z"
        assert hour["rejected_by_reason"] == {}
        assert hour["difference"] == 0

    async def test_nothing_is_an_empty_list_or_a_head_without_rows(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        asked = ("query", "retention", "--param", f"app={new_app()}", "--format")

        assert json.loads(telemetry_sink(clickhouse, *asked, "json").stdout) == []
        head = ",".join(sql.load("retention").columns)
        assert telemetry_sink(clickhouse, *asked, "csv").stdout == f"{head}\n"
        assert "cohort_day" in telemetry_sink(clickhouse, *asked, "table").stdout

    async def test_csv_and_table_show_the_same_rows(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        app_id = new_app()
        crash = event(
            app_id, event_type="app_crash", crash_group=0xABC, crash_reason='a, "b"\nand c'
        )
        await store(writer, StoredChunk(events=[crash]))
        period = ("--param", f"app={app_id}", "--param", f"from={day(0)}")
        asked = ("query", "top_crash_groups", *period, "--format")

        as_csv = telemetry_sink(clickhouse, *asked, "csv").stdout
        as_table = telemetry_sink(clickhouse, *asked, "table").stdout

        head, row = csv.reader(as_csv.splitlines(keepends=True))
        assert head == list(sql.load("top_crash_groups").columns)
        assert row[:4] == ["0000000000000abc", "", 'a, "b"\nand c', "1"]
        assert "0000000000000abc" in as_table

    async def test_a_single_wide_row_stands_upright(
        self, clickhouse: ClickHouseUnderTest, writer: AsyncClient
    ) -> None:
        one = event(new_app())
        await store(writer, StoredChunk(events=[one]))

        done = telemetry_sink(
            clickhouse, "query", "event_by_id", "--param", f"event_id={one.event_id}"
        )

        lines = [line for line in done.stdout.splitlines() if "app_id" in line]
        assert len(lines) == 1
        assert one.app_id in lines[0]

    def test_a_server_that_is_not_there_is_one_line(self, clickhouse: ClickHouseUnderTest) -> None:
        done = telemetry_sink(
            clickhouse, "query", "account", TELEMETRY_CLICKHOUSE_URL="http://127.0.0.1:1"
        )

        assert done.returncode == FOUND_WRONG
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("telemetry-sink: ClickHouse at 127.0.0.1:1: ")

    def test_a_wrong_password_is_one_line_that_does_not_repeat_it(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        done = telemetry_sink(
            clickhouse, "query", "account", TELEMETRY_CLICKHOUSE_PASSWORD="not-the-password"
        )

        assert done.returncode == FOUND_WRONG
        (line,) = done.stderr.splitlines()
        assert "AUTHENTICATION_FAILED" in line
        assert "not-the-password" not in line


class TestMigrate:
    def test_says_that_nothing_is_left_to_apply(self, clickhouse: ClickHouseUnderTest) -> None:
        done = telemetry_sink(
            clickhouse,
            "migrate",
            TELEMETRY_CLICKHOUSE_USER=clickhouse.user,
            TELEMETRY_CLICKHOUSE_PASSWORD=clickhouse.password,
        )

        assert (done.returncode, done.stdout) == (GOOD, "nothing to apply\n"), done.stderr

    def test_a_reader_is_told_in_one_line_that_it_may_not(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        done = telemetry_sink(clickhouse, "migrate")

        assert done.returncode == FOUND_WRONG
        (line,) = done.stderr.splitlines()
        assert "ACCESS_DENIED" in line
