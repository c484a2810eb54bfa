"""What is checked of ClickHouse before the first record is read."""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.asyncclient import AsyncClient

from sinks.clickhouse.sink import CHUNK_COLUMNS, guarded
from sinks.clickhouse.tables import Table
from sinks.sink import Misconfigured

DATABASE = "telemetry"
WINDOW = "non_replicated_deduplication_window"
OWN_BOOKS = ("schema_migrations",)  # receive no chunks


async def check_tables(client: AsyncClient, tables: Sequence[Table]) -> None:
    """Refuse tables that are not this version's, or that would store a repeated chunk twice.

    Raises Misconfigured, Retryable.
    """
    for table in tables:
        await _check_columns(client, table.name, table.columns)
        await _check_columns(client, table.probe, table.columns)
        if table.has_account:
            await _check_columns(client, f"{DATABASE}.chunks", CHUNK_COLUMNS)
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
    found = await guarded(
        client.query(
            "SELECT name, engine, engine_full FROM system.tables"
            " WHERE database = {database:String} AND engine LIKE '%MergeTree'",
            parameters={"database": DATABASE},
        )
    )
    for name, engine, definition in found.result_rows:
        has_own = engine.startswith(("Replicated", "Shared"))  # theirs is on by default
        if not has_own and name not in OWN_BOOKS and WINDOW not in definition:
            raise Misconfigured(
                f"{DATABASE}.{name}: repeated chunks would be stored twice; run"
                f" ALTER TABLE {DATABASE}.{name} MODIFY SETTING {WINDOW} = 10000"
            )
