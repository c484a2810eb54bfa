"""The engine behind ClickHouse's HTTP interface: what its clients rely on."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import clickhouse_connect
import lz4.frame
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest

INSTANT = datetime(2026, 11, 24, 5, 20, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def client(clickhouse: ClickHouseUnderTest) -> Iterator[Client]:
    """The vendor's synchronous client, as the writer."""
    host, port = clickhouse.url.removeprefix("http://").split(":")
    made = clickhouse_connect.get_client(
        host=host, port=int(port), username=clickhouse.user, password=clickhouse.password
    )
    yield made
    made.close()


@pytest.fixture
def table(clickhouse: ClickHouseUnderTest) -> Iterator[str]:
    """A table of its own that remembers tokens."""
    name = f"telemetry.t_{uuid4().hex}"
    status, text = clickhouse.ask(
        f"CREATE TABLE {name} (n UInt64, s String) ENGINE = MergeTree ORDER BY n"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    assert status == 200, text
    yield name
    clickhouse.ask(f"DROP TABLE {name}")


def numbers(clickhouse: ClickHouseUnderTest, table: str) -> list[int]:
    return [int(row[0]) for row in clickhouse.rows(f"SELECT n FROM {table} ORDER BY n")]


def insert(
    clickhouse: ClickHouseUnderTest, table: str, *rows: str, **settings: str
) -> tuple[int, str]:
    body = "\n".join(rows)
    return clickhouse.ask(f"INSERT INTO {table} FORMAT JSONEachRow\n{body}", url=settings)


def send(clickhouse: ClickHouseUnderTest, body: bytes, **headers: str) -> tuple[int, str]:
    """A raw POST; underscores in header names are dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {
        "X-ClickHouse-User": clickhouse.user,
        "X-ClickHouse-Key": clickhouse.password,
        **given,
    }
    try:
        with urlopen(Request(clickhouse.url + "/", body, given), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


class TestClients:
    def test_the_vendor_s_client_reads_every_type_back(self, client: Client) -> None:
        asked = client.query(
            "SELECT toUUID('0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f') AS u,"
            " toDateTime64({t:String}, 3, 'UTC') AS t, map('k', 'v') AS m, [1, 2] AS a,"
            " 18446744073709551615::UInt64 AS big, 'x'::LowCardinality(String) AS s,"
            " NULL::Nullable(Int32) AS nothing, true AS yes",
            parameters={"t": "2026-11-24 05:20:00.123"},
        )

        assert asked.column_names == ("u", "t", "m", "a", "big", "s", "nothing", "yes")
        u, t, *rest = asked.result_rows[0]
        assert u == UUID("0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f")
        assert t.replace(tzinfo=UTC) == INSTANT
        assert rest == [{"k": "v"}, [1, 2], 2**64 - 1, "x", None, True]

    def test_the_vendor_s_client_inserts_in_its_native_format(
        self, client: Client, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        client.insert(table, [[1, "a"], [2, "ü"]], column_names=["n", "s"])

        assert clickhouse.rows(f"SELECT n, s FROM {table} ORDER BY n") == [[1, "a"], [2, "ü"]]

    async def test_the_asynchronous_client_asks_and_inserts(
        self, writer: AsyncClient, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        await writer.raw_insert(table, ["n", "s"], b'{"n":1,"s":"a"}\n', fmt="JSONEachRow")

        found = await writer.query(
            f"SELECT n FROM {table} WHERE s = {{s:String}}", parameters={"s": "a"}
        )
        assert found.result_rows == [(1,)]

    def test_curl_with_basic_authorization_and_with_a_url(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        curl = ["curl", "-s", "--max-time", "30"]
        user = ["--user", f"{clickhouse.user}:{clickhouse.password}"]
        query = urlencode(
            {"query": "SELECT 1 + 1", "user": clickhouse.user, "password": clickhouse.password}
        )

        by_body = [*curl, *user, clickhouse.url, "--data-binary", "SELECT 1 + 1"]
        by_url = [*curl, f"{clickhouse.url}/?{query}"]
        for command in (by_body, by_url):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout == "2\n"

    def test_ping_needs_no_password(self, clickhouse: ClickHouseUnderTest) -> None:
        with urlopen(f"{clickhouse.url}/ping", timeout=30) as answer:
            assert answer.read() == b"Ok.\n"

    def test_a_wrong_password_is_516(self, clickhouse: ClickHouseUnderTest) -> None:
        status, text = clickhouse.ask("SELECT 1", password="wrong")

        assert status == 403
        assert text.startswith("Code: 516. DB::Exception: ")
        assert "AUTHENTICATION_FAILED" in text
        assert clickhouse.ask("SELECT 1", user="nobody")[0] == 403


class TestQueries:
    @pytest.mark.parametrize(
        ("sql", "body"),
        [
            ("SELECT 1 AS a, 'x' AS b", "1\tx\n"),
            ("SELECT 1 AS a, 'x' AS b FORMAT CSV", '1,"x"\n'),
            ("SELECT 1 AS a, 'x' AS b FORMAT JSONEachRow", '{"a":1,"b":"x"}\n'),
            ("SELECT 'FORMAT CSV' AS a FORMAT TSVWithNames", "a\nFORMAT CSV\n"),
            ("SELECT 1 -- a comment with FORMAT JSON\n", "1\n"),
            # A parameter is escaped text, as in TSV: here a tab, and a quote that needs no escape.
            ("SELECT {a:String}, {n:UInt64}", "it\\'s\\t{n}\t7\n"),
        ],
    )
    def test_formats_comments_and_parameters(
        self, clickhouse: ClickHouseUnderTest, sql: str, body: str
    ) -> None:
        assert clickhouse.ask(sql, a="it's\\t{n}", n="7") == (200, body)

    def test_a_default_format_and_a_setting_come_by_the_url(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        status, text = clickhouse.ask(
            "SELECT getSetting('max_threads') AS t",
            url={"default_format": "JSONEachRow", "max_threads": "1"},
        )

        assert (status, json.loads(text)) == (200, {"t": 1})

    @pytest.mark.parametrize(
        ("sql", "status", "code"),
        [
            ("SELEC 1", 400, 62),
            ("SELECT 1; SELECT 2", 400, 62),
            ("SELECT no_such_column FROM telemetry.events", 404, 47),
            ("SELECT * FROM telemetry.no_such_table", 404, 60),
            ("SELECT * FROM no_such_database.t", 404, 81),
            ("SELECT no_such_function(1)", 404, 46),
            ("SELECT toUInt8('x')", 400, 6),
            ("SELECT {missing:String}", 500, 456),
            ("SELECT throwIf(1)", 500, 395),
        ],
    )
    def test_wrong_sql_has_clickhouse_s_code_text_and_status(
        self, clickhouse: ClickHouseUnderTest, sql: str, status: int, code: int
    ) -> None:
        found, text = clickhouse.ask(sql)

        assert text.startswith(f"Code: {code}. DB::Exception: ")
        assert found == status

    def test_an_error_s_code_is_a_header_too(self, client: Client) -> None:
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as told:
            client.query("SELECT * FROM telemetry.no_such_table")

        assert told.value.code == 60  # the client reads it from the header

    def test_a_session_remembers_its_settings(self, clickhouse: ClickHouseUnderTest) -> None:
        session = {"session_id": str(uuid4())}
        clickhouse.ask("SET max_threads = 3", url=session)

        asked = "SELECT getSetting('max_threads')"
        assert clickhouse.ask(asked, url=session) == (200, "3\n")
        assert clickhouse.ask(asked)[1] != "3\n"


class TestInserts:
    def test_the_same_token_again_inserts_nothing(
        self, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        for _ in range(2):
            assert insert(clickhouse, table, '{"n":1}', insert_deduplication_token="a")[0] == 200
        assert insert(clickhouse, table, '{"n":1}', insert_deduplication_token="b")[0] == 200

        assert numbers(clickhouse, table) == [1, 1]

    @pytest.mark.parametrize("bad", ['{"n":"x"}', '{"n":-', "no json", '{"n":1,"unknown":2}'])
    def test_a_bad_row_refuses_the_insert_whole(
        self, clickhouse: ClickHouseUnderTest, table: str, bad: str
    ) -> None:
        settings = {"input_format_skip_unknown_fields": "0"}
        status, text = insert(clickhouse, table, '{"n":1}', bad, '{"n":2}', **settings)

        assert status >= 400
        assert text.startswith("Code: ")
        assert numbers(clickhouse, table) == []

    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [
            ("gzip", gzip.compress),
            ("zstd", zstandard.ZstdCompressor().compress),
            ("lz4", lz4.frame.compress),
        ],
    )
    def test_compressed_bodies_are_read_and_truncated_ones_refused(
        self,
        clickhouse: ClickHouseUnderTest,
        table: str,
        encoding: str,
        pack: Callable[[bytes], bytes],
    ) -> None:
        body = pack(f'INSERT INTO {table} FORMAT JSONEachRow\n{{"n":1}}\n{{"n":2}}'.encode())

        assert send(clickhouse, body, Content_Encoding=encoding)[0] == 200
        assert send(clickhouse, body[:-6], Content_Encoding=encoding)[0] >= 400
        assert numbers(clickhouse, table) == [1, 2]

    def test_many_rows_in_one_insert_are_one_part(
        self, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        rows = [f'{{"n":{number},"s":"{"x" * 50}"}}' for number in range(100_000)]
        assert insert(clickhouse, table, *rows)[0] == 200

        name = table.removeprefix("telemetry.")
        parts = clickhouse.rows(f"SELECT rows FROM system.parts WHERE table = '{name}' AND active")
        assert parts == [[100_000]]


class TestBrowsers:
    @pytest.mark.parametrize(
        "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example:80"}]
    )
    def test_what_only_a_web_page_would_send_is_refused(
        self, clickhouse: ClickHouseUnderTest, headers: dict[str, str]
    ) -> None:
        status, text = send(clickhouse, b"SELECT 1", **headers)

        assert status == 403
        assert text.startswith("Code: 497. ")

    def test_a_get_changes_nothing(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        query = urlencode(
            {
                "query": f"INSERT INTO {table} SELECT 1, 'a'",
                "user": clickhouse.user,
                "password": clickhouse.password,
            }
        )
        with pytest.raises(HTTPError):
            urlopen(f"{clickhouse.url}/?{query}", timeout=30)

        assert numbers(clickhouse, table) == []


class TestInsertsThatFailBehindTheParsing:
    """A 200 to rows that were not stored would lose them: the sink would go on."""

    @pytest.fixture
    def table(self, clickhouse: ClickHouseUnderTest) -> Iterator[str]:
        name = f"telemetry.t_{uuid4().hex}"
        yield name
        clickhouse.ask(f"DROP TABLE IF EXISTS {name}")

    def test_too_many_parts(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        create(clickhouse, f"{table} (n UInt32)", "parts_to_throw_insert = 1")
        clickhouse.ask(f"SYSTEM STOP MERGES {table}")

        answers = [clickhouse.ask(f'INSERT INTO {table} FORMAT JSONEachRow {{"n":{n}}}')
                   for n in range(3)]  # fmt: skip

        (stored,) = clickhouse.rows(f"SELECT count() FROM {table}")
        assert [status for status, _ in answers].count(200) == int(stored[0]) == 1
        assert "Code: 252. " in answers[-1][1]

    def test_too_many_partitions(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        create(clickhouse, f"{table} (n UInt32)", partition="n")
        rows = "\n".join(f'{{"n":{n}}}' for n in range(101))

        status, text = clickhouse.ask(f"INSERT INTO {table} FORMAT JSONEachRow\n{rows}")

        assert status == 500
        assert "Code: 252. " in text

    def test_a_constraint(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        create(clickhouse, f"{table} (n UInt32, CONSTRAINT small CHECK n < 5)")

        status, text = clickhouse.ask(f'INSERT INTO {table} FORMAT JSONEachRow {{"n":7}}')

        assert status == 500
        assert text.startswith("Code: 469. ")

    def test_a_bad_row_is_told_as_a_server_tells_it(
        self, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        create(clickhouse, f"{table} (n UInt32)")

        status, text = clickhouse.ask(f'INSERT INTO {table} FORMAT JSONEachRow {{"n":"x"}}')

        assert status == 400
        assert text.startswith("Code: 27. DB::Exception: Cannot parse input: expected")
        assert text.count("(CANNOT_PARSE_INPUT_ASSERTION_FAILED)") == 1
        assert "file" not in text

    def test_a_view(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        create(clickhouse, f"{table} (n UInt32)")
        view = f"{table}_mv"
        made = f"CREATE MATERIALIZED VIEW {view} ENGINE = MergeTree ORDER BY n AS"
        assert clickhouse.ask(f"{made} SELECT throwIf(n = 7) AS n FROM {table}") == (200, "")

        status, text = clickhouse.ask(f'INSERT INTO {table} FORMAT JSONEachRow {{"n":7}}')
        clickhouse.ask(f"DROP TABLE {view}")

        assert status == 500
        assert text.startswith("Code: 395. ")

    def test_data_are_data_to_their_end(self, clickhouse: ClickHouseUnderTest, table: str) -> None:
        create(clickhouse, f"{table} (n UInt32, s String)")
        data = f'1,"a;\n\nDROP TABLE {table}"\n2,";"\n'

        done = clickhouse.ask(
            f"INSERT INTO {table} (n, s) SETTINGS max_insert_threads = 1 FORMAT CSV\n{data}"
        )

        assert done == (200, "")
        assert clickhouse.rows(f"SELECT s FROM {table} ORDER BY n") == [
            [f"a;\n\nDROP TABLE {table}"], [";"]
        ]  # fmt: skip


def create(
    clickhouse: ClickHouseUnderTest, table: str, settings: str = "", partition: str = "tuple()"
) -> None:
    sql = f"CREATE TABLE {table} ENGINE = MergeTree PARTITION BY {partition} ORDER BY n"
    assert clickhouse.ask(sql + (f" SETTINGS {settings}" if settings else "")) == (200, "")
