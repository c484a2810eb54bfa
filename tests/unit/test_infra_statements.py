"""Where an INSERT's data begin and what format an answer has: words outside of quotes."""

from __future__ import annotations

import pytest

from infra.local.clickhouse.statements import (
    Insert,
    as_insert,
    output_format,
    quote,
    without_literals,
)


class TestInsert:
    @pytest.mark.parametrize(
        ("sql", "statement", "data"),
        [
            (b"INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t", b"1,2\n"),
            (b"insert into t (a, b) format CSV 1,2", "insert into t (a, b)", b"1,2"),
            (b"INSERT INTO t FORMAT CSV\r\n1", "INSERT INTO t", b"1"),
            (b"INSERT INTO t FORMAT CSV\n\n1", "INSERT INTO t", b"\n1"),
            (b"INSERT INTO t FORMAT CSV", "INSERT INTO t", b""),
            (b"-- FORMAT x\nINSERT INTO t FORMAT CSV 1", "-- FORMAT x\nINSERT INTO t", b"1"),
            (b"INSERT INTO `FORMAT` FORMAT CSV 1", "INSERT INTO `FORMAT`", b"1"),
            (b"INSERT INTO t FORMAT CSV FORMAT JSON", "INSERT INTO t", b"FORMAT JSON"),
        ],
    )
    def test_its_data_begin_behind_its_format(
        self, sql: bytes, statement: str, data: bytes
    ) -> None:
        assert as_insert(sql) == Insert(statement, "CSV", data)

    @pytest.mark.parametrize(
        "sql",
        [
            b"SELECT 1 FORMAT CSV",
            b"INSERT INTO t SELECT 1 FORMAT CSV",
            b"INSERT INTO t VALUES (1)",
            b"INSERT INTO t",
            b"",
            b"-- INSERT INTO t FORMAT CSV",
            b"'INSERT' INTO t FORMAT CSV",
        ],
    )
    def test_other_statements_have_no_data(self, sql: bytes) -> None:
        assert as_insert(sql) is None


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1 format json", "json"),
        (b"SELECT 'FORMAT CSV' FORMAT JSON", "JSON"),
        (b"SELECT 1 /* FORMAT CSV */", None),
        (b"SELECT (1 FORMAT CSV)", None),
        (b"SELECT 1", None),
    ],
)
def test_the_format_of_an_answer_stands_outside_of_quotes_and_brackets(
    sql: bytes, name: str | None
) -> None:
    assert output_format(sql) == name


@pytest.mark.parametrize("name", ["`a'`", "`a\\`'`", '"a\'"', '"a\\"\'"', "`it''s`"])
def test_a_quote_within_a_name_opens_no_literal(name: str) -> None:
    assert without_literals(f"SELECT 1 AS {name}, f('x') AS b") == f"SELECT 1 AS {name}, f('') AS b"


@pytest.mark.parametrize("text", ["", "it's", "a\\b", "\\'", "'; DROP TABLE t --"])
def test_a_quoted_text_is_one_literal(text: str) -> None:
    assert without_literals(f"SELECT {quote(text)} AS a") == "SELECT '' AS a"


@pytest.mark.parametrize(
    ("statement", "head", "settings"),
    [
        ("INSERT INTO t (a)", "INSERT INTO t (a)", ""),
        ("INSERT INTO t SETTINGS a = 1, b = 2", "INSERT INTO t ", "SETTINGS a = 1, b = 2"),
        ("INSERT INTO d.settings (settings)", "INSERT INTO d.settings (settings)", ""),
        ("INSERT INTO t -- SETTINGS a = 1", "INSERT INTO t -- SETTINGS a = 1", ""),
    ],
)
def test_an_insert_can_read_its_data_from_a_file(statement: str, head: str, settings: str) -> None:
    insert = as_insert(statement.encode() + b"\nFORMAT CSV\n1")

    assert insert is not None
    assert insert.reading("/data/it's") == (
        f"{head}\nFROM INFILE '/data/it\\'s' COMPRESSION 'none' {settings}\nFORMAT CSV"
    )
