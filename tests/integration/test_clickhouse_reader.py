"""The reader's account: it reads our tables, and nothing it says changes or reaches anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clickhouse import ClickHouseUnderTest

ATTACKS = [
    "INSERT INTO {table} SELECT 1",
    "insert into {table} values (1)",
    '/* harmless */ INSERT /**/ INTO {table} FORMAT JSONEachRow\n{{"n":1}}',
    "-- SELECT 1\nDROP TABLE {table}",
    "DROP TABLE {table}",
    "TRUNCATE TABLE {table}",
    "ALTER TABLE {table} DELETE WHERE 1",
    "ALTER TABLE {table} UPDATE n = 2 WHERE 1",
    "DELETE FROM {table} WHERE 1",
    "OPTIMIZE TABLE {table} FINAL",
    "RENAME TABLE {table} TO telemetry.gone",
    "CREATE TABLE telemetry.mine (n UInt64) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (n UInt64)",
    "CREATE DATABASE mine",
    "CREATE USER mine IDENTIFIED BY 'x'",
    "CREATE FUNCTION mine AS x -> x",
    "GRANT ALL ON *.* TO default",
    "SET ROLE writer",
    "SET ROLE DEFAULT",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SYSTEM STOP MERGES",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "USE system",
    "SELECT 1; DROP TABLE {table}",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system, one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM FiLe('{secret}', 'LineAsString')",
    "SELECT file('{secret}')",
    "SELECT * FROM executable('id', 'LineAsString', 'a String')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT 1 INTO OUTFILE '{folder}/out.txt'",
    "BACKUP TABLE {table} TO File('{folder}/backup')",
    "SELECT * FROM merge('system', 'one')",
    "SELECT * FROM numbers(1) WHERE n IN (SELECT * FROM url('http://127.0.0.1:1/'))",
    "WITH x AS (SELECT * FROM file('{secret}', 'LineAsString')) SELECT * FROM x",
    "EXPLAIN SELECT * FROM file('{secret}', 'LineAsString')",
    "DESCRIBE file('{secret}')",
    "SELECT * FROM {{t:Identifier}}",
    "ATTACH TABLE telemetry.mine (n UInt64) ENGINE = MergeTree ORDER BY n",
    "DETACH TABLE {table}",
    "EXCHANGE TABLES {table} AND telemetry.events",
]
DISGUISES = [
    "SELECT file('{file}')",
    "SELECT/**/FiLe/**/('{file}')",
    "SELECT `file`('{file}')",
    "SELECT \"f\\x69le\"('{file}')",
    "SELECT * APPLY(file) FROM (SELECT '{file}')",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT arrayMap({{f:Identifier}}, ['{file}'])",
    "SELECT 1 AS `a'`, file('{file}') AS b",
    "SELECT 1 AS \"a'\", file('{file}') AS b",
    "SELECT 1 AS `a\\`'`, `f\\x69le`('{file}') AS b",
    "SELECT $x$'$x$, file('{file}'), $x$'$x$",
    "SELECT ' -- ', file('{file}'), ' /* '",
    "EXPLAIN SELECT 1 AS `'`, file('{file}') AS `'x`",
    "WITH (SELECT file('{file}')) AS `'` SELECT `'`",
]
SECRETS = [
    "SELECT * FROM system.users",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.processes",
    "SELECT * FROM default.anything",
]


@pytest.fixture
def table(clickhouse: ClickHouseUnderTest) -> Iterator[str]:
    name = f"telemetry.r_{uuid4().hex}"
    clickhouse.ask(f"CREATE TABLE {name} (n UInt64) ENGINE = MergeTree ORDER BY n")
    clickhouse.ask(f"INSERT INTO {name} SELECT 7")
    yield name
    status, text = clickhouse.ask(f"DROP TABLE {name}")
    assert status == 200, text


def as_reader(clickhouse: ClickHouseUnderTest, sql: str, **url: str) -> tuple[int, str]:
    return clickhouse.ask(sql, clickhouse.reader, clickhouse.reader_password, url=url)


class TestAllowed:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count() FROM telemetry.events",
            "WITH 1 AS x SELECT x",
            "SELECT n FROM (SELECT 1 AS n) ORDER BY n",
            "SHOW TABLES FROM telemetry",
            "DESCRIBE TABLE telemetry.events",
            "EXPLAIN SELECT 1",
            "SELECT 'DROP TABLE x; INSERT file(1)'",
        ],
    )
    def test_reading_our_tables(self, clickhouse: ClickHouseUnderTest, sql: str) -> None:
        status, text = as_reader(clickhouse, sql)

        assert status == 200, text


class TestRefused:
    @pytest.mark.parametrize("attack", ATTACKS)
    def test_what_would_change_or_reach_something(
        self, clickhouse: ClickHouseUnderTest, table: str, tmp_path: Path, attack: str
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("canary-7f3a")
        before = clickhouse.ask("SHOW TABLES FROM telemetry")

        status, text = as_reader(
            clickhouse, attack.format(table=table, secret=secret, folder=tmp_path), param_t="t"
        )

        assert status >= 400, text
        assert text.startswith("Code: ")
        assert "canary-7f3a" not in text
        assert clickhouse.rows(f"SELECT n FROM {table}") == [[7]]
        assert clickhouse.ask("SHOW TABLES FROM telemetry") == before
        assert list(tmp_path.iterdir()) == [secret]

    @pytest.mark.parametrize("reading", DISGUISES)
    def test_files_that_the_second_belt_leaves_open(
        self, clickhouse: ClickHouseUnderTest, reading: str
    ) -> None:
        """The engine must open the files of its own folder: here words alone stand in between."""
        file = clickhouse.folder / "data" / "config.xml"
        assert "users_config" in clickhouse.ask(f"SELECT file('{file}')")[1]

        status, text = as_reader(clickhouse, reading.format(file=file), param_f="file")

        assert (status, text[:10]) == (403, "Code: 497.")
        assert "users_config" not in text

    @pytest.mark.parametrize("sql", SECRETS)
    def test_what_is_not_in_our_database(self, clickhouse: ClickHouseUnderTest, sql: str) -> None:
        assert as_reader(clickhouse, sql)[0] >= 400
        table = sql.rpartition(".")[2]
        assert as_reader(clickhouse, f"SELECT * FROM {table}", database="system")[0] >= 400

    @pytest.mark.parametrize(
        "settings", [{"readonly": "0"}, {"max_memory_usage": "0"}, {"role": "writer"}]
    )
    def test_settings_of_the_url_give_no_rights(
        self, clickhouse: ClickHouseUnderTest, table: str, settings: dict[str, str]
    ) -> None:
        assert as_reader(clickhouse, f"INSERT INTO {table} SELECT 1", **settings)[0] >= 400
        assert clickhouse.rows(f"SELECT n FROM {table}") == [[7]]

    def test_a_session_of_the_writer_gives_none_either(
        self, clickhouse: ClickHouseUnderTest, table: str
    ) -> None:
        session = {"session_id": str(uuid4())}
        clickhouse.ask("SET readonly = 0", url=session)
        clickhouse.ask("SET ROLE writer", url=session)

        status, _ = clickhouse.ask(
            f"INSERT INTO {table} SELECT 1",
            clickhouse.reader, clickhouse.reader_password, url=session,
        )  # fmt: skip

        assert status >= 400
        assert clickhouse.rows(f"SELECT n FROM {table}") == [[7]]

    def test_a_body_beyond_a_megabyte(self, clickhouse: ClickHouseUnderTest) -> None:
        status, text = as_reader(clickhouse, f"SELECT '{'x' * 1_100_000}'")

        assert (status, text[:10]) == (413, "Code: 229.")

    def test_the_writer_s_files_are_fenced_too(
        self, clickhouse: ClickHouseUnderTest, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("canary-7f3a")

        status, text = clickhouse.ask(f"SELECT * FROM file('{secret}', 'LineAsString')")

        assert status >= 400
        assert "canary-7f3a" not in text


class TestTime:
    """Go's driver sends a time with each query: the only setting that a reader may choose."""

    @pytest.mark.parametrize(
        ("asked", "seconds"), [("5", "5"), ("30", "30"), ("60", "30"), ("0", "30"), ("x", "30")]
    )
    def test_may_be_shorter_than_the_limit_and_never_longer(
        self, clickhouse: ClickHouseUnderTest, asked: str, seconds: str
    ) -> None:
        found = as_reader(
            clickhouse, "SELECT getSetting('max_execution_time')", max_execution_time=asked
        )

        assert (found[0], float(found[1])) == (200, float(seconds))
