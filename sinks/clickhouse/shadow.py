"""The rebuilt tables in a database of their own: made after the live ones, exchanged, dropped.

`telemetry.events`, every table of the same database that its rows reach through views, and those
views. Views follow names: after the exchange each feeds what has its target's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct, structs

from sinks.clickhouse.checks import DATABASE, TableFacts, receivers, table_facts, target_of
from sinks.clickhouse.pauses import PERMIT, permit
from sinks.clickhouse.sink import guarded
from sinks.rebuild.units import Region, Source, Unit
from sinks.sink import Misconfigured

SHADOW = f"{DATABASE}_replay"
LONG_SECONDS = 600.0

_OWN_TABLES = (
    # Written when all tables are there: without a row in it, they are not all there.
    f"""CREATE TABLE {SHADOW}.replay_tables (name String, uuid String, id String)
    ENGINE = MergeTree ORDER BY name""",
    f"""CREATE TABLE {SHADOW}.replay_regions
    (cluster String, topic String, partition UInt16, first UInt64, last UInt64)
    ENGINE = MergeTree ORDER BY (cluster, topic, partition)""",
    # A batch is written here before its rows: only the last one may have to be written again.
    f"""CREATE TABLE {SHADOW}.replay_units
    (batch UInt32, cluster String, topic String, partition UInt16, start UInt64, end UInt64,
     from_log UInt8, rows UInt64, inserted_at String)
    ENGINE = MergeTree ORDER BY (batch, cluster, topic, partition, start)""",
)


class Begun(Struct, frozen=True):
    """A replay as its tables remember it."""

    id: str
    uuids: dict[str, str]  # of the rebuilt tables by name: what has it now, was exchanged
    regions: dict[Source, Region]


def reached(tables: dict[str, TableFacts]) -> tuple[list[str], list[str]]:
    """Names, without the database, of the tables to rebuild and of the views between them."""
    everything = receivers([f"{DATABASE}.events"], tables)
    names = [one for one in everything if one.startswith(f"{DATABASE}.")]
    hidden = [one for one in names if ".inner" in one]
    if hidden:
        raise Misconfigured(f"a view without a table of its own name (TO …) has {hidden[0]}: "
                            "it cannot be rebuilt")  # fmt: skip
    views = [
        view
        for name in names
        for view in tables[name].views
        if view in tables and target_of(view, tables[view]) in names
    ]
    return _bare(names), _bare(views)


def moved(create: str, names: Iterable[str]) -> str:
    """The statement that makes the same in the shadow database; other tables keep their names."""
    for name in names:
        create = re.sub(
            rf"\b{DATABASE}\.(`?){re.escape(name)}\1(?![\w`])",
            rf"{SHADOW}.\g<1>{name}\g<1>",
            create,
        )
    return create


def _bare(names: Iterable[str]) -> list[str]:
    return [one.removeprefix(f"{DATABASE}.") for one in names]


class Shadow:
    """The shadow database. Raises Retryable, Misconfigured."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def exists(self) -> bool:
        sql = f"SELECT count() FROM system.databases WHERE name = '{SHADOW}'"  # noqa: S608
        return bool((await self._rows(sql))[0][0])

    async def make(self, replay_id: str, regions: dict[Source, Region]) -> None:
        """All tables, views and what is remembered of the replay."""
        tables = await table_facts(self._client)
        names, views = reached(tables)
        await self._do(f"CREATE DATABASE {SHADOW}")
        for name in [*names, "events_probe", *views]:
            create = tables[f"{DATABASE}.{name}"].create
            await self._do(moved(create, [*names, "events_probe", *views]))
        for statement in _OWN_TABLES:
            await self._do(statement)
        await self._do(f"CREATE TABLE {SHADOW}.{PERMIT}twin (nothing UInt8) ENGINE = Memory")
        places = [
            {**structs.asdict(source), **structs.asdict(region)}
            for source, region in regions.items()
        ]
        await self._insert(f"{SHADOW}.replay_regions", places)
        tables = await table_facts(self._client)
        made = [
            {"name": name, "uuid": tables[f"{SHADOW}.{name}"].uuid, "id": replay_id}
            for name in names
        ]
        await self._insert(f"{SHADOW}.replay_tables", made)

    async def begun(self) -> Begun | None:
        """None when the tables were never all made."""
        try:
            tables = await self._rows(f"SELECT name, uuid, id FROM {SHADOW}.replay_tables")  # noqa: S608
        except Misconfigured:
            return None
        if not tables:
            return None
        regions = await self._rows(
            f"SELECT cluster, topic, partition, first, last FROM {SHADOW}.replay_regions"  # noqa: S608
        )
        return Begun(
            tables[0][2],
            {name: uuid for name, uuid, _ in tables},
            {Source(*one[:3]): Region(*one[3:]) for one in regions},
        )

    async def announce(self, batch: int, units: Sequence[Unit]) -> None:
        rows = [
            {
                "batch": batch,
                **structs.asdict(unit.source),
                "start": unit.start,
                "end": unit.end,
                "from_log": int(unit.from_log),
                "rows": unit.rows,
                "inserted_at": unit.inserted_at,
            }
            for unit in units
        ]
        await self._insert(f"{SHADOW}.replay_units", rows)

    async def announced(self) -> tuple[int, list[Unit], dict[Source, int]]:
        """The last batch, its number and its units; and where each source stands with it."""
        units = await self._rows(
            "SELECT batch, cluster, topic, partition, start, end, from_log, rows, inserted_at"  # noqa: S608
            f" FROM {SHADOW}.replay_units"
            f" WHERE batch = (SELECT max(batch) FROM {SHADOW}.replay_units) ORDER BY ALL"
        )
        reached = await self._rows(
            "SELECT cluster, topic, partition, max(end)"  # noqa: S608
            f" FROM {SHADOW}.replay_units GROUP BY cluster, topic, partition"
        )
        return (
            units[0][0] if units else 0,
            [Unit(Source(*one[1:4]), one[4], one[5], bool(one[6]), *one[7:]) for one in units],
            {Source(*one[:3]): one[3] for one in reached},
        )

    async def left(self, begun: Begun) -> list[str]:
        """The rebuilt tables that do not have the live ones' names yet; `events` comes last."""
        tables = await table_facts(self._client)
        names = [
            name
            for name, uuid in begun.uuids.items()
            if f"{DATABASE}.{name}" in tables and tables[f"{DATABASE}.{name}"].uuid != uuid
        ]
        return sorted(names, key=lambda name: (name == "events", name))

    async def exchange(self, pause_id: str, names: Sequence[str]) -> None:
        """One statement: nothing of it happens once somebody has taken the permit away."""
        pairs = [f"{permit(pause_id)} AND {SHADOW}.{PERMIT}twin"]
        pairs += [f"{DATABASE}.{name} AND {SHADOW}.{name}" for name in names]
        await self._do(f"EXCHANGE TABLES {', '.join(pairs)}")

    async def note_swap(self, replay_id: str, rows: int) -> None:
        """Before the exchange: from now on no older token counts as remembered."""
        await self._insert(f"{DATABASE}.replays", [{"id": replay_id, "rows": rows}])

    async def drop(self) -> None:
        """Safe at any time: what has a live name is complete."""
        await self.drop_permits()
        await self._do(f"DROP DATABASE IF EXISTS {SHADOW} SYNC")

    async def drop_permits(self) -> None:
        """End the pauses of replays that died in them."""
        for (name,) in await self._rows(
            f"SELECT name FROM system.tables WHERE database = '{DATABASE}'"  # noqa: S608
            f" AND startsWith(name, '{PERMIT}')"
        ):
            await self._do(f"DROP TABLE IF EXISTS {DATABASE}.{name} SYNC")

    async def _insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            return
        body = b"\n".join(msgspec.json.encode(row) for row in rows)
        call = self._client.raw_insert(table, list(rows[0]), body, fmt="JSONEachRow")
        await guarded(call)

    async def _do(self, statement: str) -> None:
        await guarded(self._client.command(statement), LONG_SECONDS)

    async def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        found = await guarded(self._client.query(sql), LONG_SECONDS)
        return [tuple(row) for row in found.result_rows]
