"""What is checked of ClickHouse before the first record is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct

from sinks.clickhouse.sink import CHUNK_COLUMNS, guarded
from sinks.clickhouse.tables import Table
from sinks.sink import Misconfigured

DATABASE = "telemetry"
WINDOW = "non_replicated_deduplication_window"
OURS = tuple(f"{DATABASE}.{name}" for name in ("events", "dead_letters", "chunks"))


async def check_tables(client: AsyncClient, tables: Sequence[Table]) -> None:
    """Refuse tables that are not this version's, or that would store a repeated chunk twice.

    Raises Misconfigured, Retryable.
    """
    for table in tables:
        await _check_columns(client, table.name, table.columns)
        await _check_columns(client, table.probe, table.columns)
        if table.has_account:
            await _check_columns(client, f"{DATABASE}.chunks", CHUNK_COLUMNS)
            await _check_columns(client, f"{DATABASE}.replays", ("swapped_at",))
            await _check_columns(client, f"{DATABASE}.forgotten", ("kafka_offset",))
    await _check_windows(client)


async def _check_columns(client: AsyncClient, table: str, columns: Sequence[str]) -> None:
    name = table.removeprefix(f"{DATABASE}.")
    found = await guarded(
        client.query(
            "SELECT name FROM system.columns"
            " WHERE database = {database:String} AND table = {name:String}",
            parameters={"database": DATABASE, "name": name},
        )
    )
    present = {row[0] for row in found.result_rows}
    missing = [column for column in columns if column not in present]
    if missing:
        what = f"column {missing[0]}" if present else "the table"
        raise Misconfigured(f"{table}: {what} is missing; run `telemetry-sink migrate`")


async def _check_windows(client: AsyncClient) -> None:
    """Without a window a MergeTree forgets every token at once; also behind a view."""
    tables = await table_facts(client)
    for name in receivers(OURS, tables):
        facts = tables[name]
        has_own = facts.engine.startswith(("Replicated", "Shared"))  # theirs is on by default
        if facts.engine.endswith("MergeTree") and not has_own and WINDOW not in facts.definition:
            raise Misconfigured(
                f"{name}: repeated chunks would be stored twice; run"
                f" ALTER TABLE {name} MODIFY SETTING {WINDOW} = 10000"
            )


async def table_facts(client: AsyncClient) -> dict[str, TableFacts]:
    """Every table and view of the server, by database and name. Raises Retryable."""
    found = await guarded(client.query(_TABLES))
    return {row[0]: TableFacts(*row[1:]) for row in found.result_rows}


_TABLES = """
SELECT
    concat(database, '.', name), engine, engine_full, create_table_query, toString(uuid),
    arrayMap((d, t) -> concat(d, '.', t), dependencies_database, dependencies_table)
FROM system.tables
WHERE database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')
"""


class TableFacts(Struct, frozen=True):
    """What ClickHouse says of a table or view."""

    engine: str
    definition: str  # of the engine, with its settings
    create: str
    uuid: str
    views: Sequence[str]  # that every insert into it feeds


def receivers(ours: Sequence[str], tables: Mapping[str, TableFacts]) -> list[str]:
    """Every table that a chunk's insert reaches: ours, and those behind views, also views of views.

    Somebody's own table beside them is none of our business.
    """
    found: list[str] = []
    waiting = [name for name in ours if name in tables]
    while waiting:
        name = waiting.pop()
        found.append(name)
        targets = [target_of(view, tables[view]) for view in tables[name].views if view in tables]
        waiting += [one for one in targets if one in tables and one not in found]
    return found


def target_of(view: str, facts: TableFacts) -> str:
    """The table that a materialised view writes to: a named one, or its own hidden one."""
    named = re.match(r"CREATE MATERIALIZED VIEW \S+ (?:UUID \S+ )?TO (\S+)", facts.create)
    database = view.partition(".")[0]
    return named.group(1) if named else f"{database}..inner_id.{facts.uuid}"
