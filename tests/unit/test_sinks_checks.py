"""Which tables a chunk's insert reaches."""

from __future__ import annotations

from sinks.clickhouse.checks import TableFacts, receivers, target_of


def table(*views: str) -> TableFacts:
    return TableFacts("MergeTree", "MergeTree ORDER BY a", "CREATE TABLE …", "u-1", views)


def view(target: str = "", uuid: str = "u-2") -> TableFacts:
    to = f" TO {target}" if target else ""
    create = f"CREATE MATERIALIZED VIEW t.v{to} (`a` UInt64) AS SELECT a FROM t.events"
    return TableFacts("MaterializedView", "", create, uuid, ())


def test_a_table_and_what_stands_behind_its_views_are_reached() -> None:
    tables = {
        "t.events": table("t.v1", "t.v2"),
        "t.v1": view("t.sessions"),
        "t.v2": view("other.sums"),
        "t.sessions": table(),
        "other.sums": table("t.v3"),
        "t.v3": view("t.deep"),
        "t.deep": table(),
        "t.somebody_s": table(),
    }

    assert set(receivers(["t.events"], tables)) == {
        "t.events", "t.sessions", "other.sums", "t.deep",
    }  # fmt: skip


def test_a_view_without_a_target_has_a_hidden_one() -> None:
    tables = {"t.events": table("t.v"), "t.v": view(), "t..inner_id.u-2": table()}

    assert set(receivers(["t.events"], tables)) == {"t.events", "t..inner_id.u-2"}


def test_the_word_to_in_a_query_is_no_target() -> None:
    create = "CREATE MATERIALIZED VIEW t.v (`a` UInt64) ENGINE = Null AS SELECT 'x TO y' AS a"
    facts = TableFacts("MaterializedView", "", create, "u-3", ())

    assert target_of("t.v", facts) == "t..inner_id.u-3"


def test_a_table_that_is_missing_is_not_looked_into() -> None:
    assert receivers(["t.events"], {}) == []
