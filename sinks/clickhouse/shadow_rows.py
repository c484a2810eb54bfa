"""Rows of the live tables and of the rebuilt ones: which chunks there are, copied, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct, structs

from sinks.clickhouse.checks import DATABASE
from sinks.clickhouse.shadow import LONG_SECONDS, SHADOW
from sinks.clickhouse.sink import guarded
from sinks.rebuild.units import LiveChunk, Source, Unit

_PLACE = """kafka_cluster = {cluster:String}
  AND kafka_topic = {topic:String}
  AND kafka_partition = {partition:UInt16}"""
_YOUNG = "received_at > now() - INTERVAL 390 DAY"  # `events` drops rows after 400
_BETWEEN = "kafka_offset >= {start:UInt64} AND kafka_offset < {end:UInt64}"
_SOURCE = "kafka_cluster, kafka_topic, kafka_partition"
_FINGERPRINT = "sum(cityHash64(kafka_offset, event_id))"  # the same for the same rows in any order
NO_END = 2**63

_SOURCES = f"""
SELECT DISTINCT {_SOURCE} FROM {DATABASE}.events
UNION DISTINCT
SELECT DISTINCT {_SOURCE} FROM {DATABASE}.chunks
"""  # noqa: S608  # constants only

# `of_rows` and `of_chunks` are conditions: several sources, each from its own offset on.
_CHUNKS = f"""
SELECT {_SOURCE}, chunk_start, max(end), max(rows), max(stored_at)
FROM
(
    SELECT
        {_SOURCE}, chunk_start, max(chunk_end) AS end, count() AS rows,
        toString(max(inserted_at)) AS stored_at
    FROM {DATABASE}.events
    WHERE of_rows
    GROUP BY {_SOURCE}, chunk_start
    UNION ALL
    SELECT {_SOURCE}, chunk_start, max(chunk_end), 0, ''
    FROM {DATABASE}.chunks
    WHERE of_chunks
    GROUP BY {_SOURCE}, chunk_start
)
GROUP BY {_SOURCE}, chunk_start
ORDER BY {_SOURCE}, chunk_start
"""  # noqa: S608  # constants only; values are server-side parameters

_COUNTS = f"""
SELECT {_SOURCE}, app_id, sum(live), sum(rebuilt), sum(live_sum) = sum(rebuilt_sum)
FROM
(
    SELECT {_SOURCE}, app_id, count() AS live, 0 AS rebuilt, {_FINGERPRINT} AS live_sum,
        toUInt64(0) AS rebuilt_sum
    FROM {DATABASE}.events
    WHERE of_rows AND {_YOUNG}
    GROUP BY {_SOURCE}, app_id
    UNION ALL
    SELECT {_SOURCE}, app_id, 0, count(), 0, {_FINGERPRINT}
    FROM {SHADOW}.events
    WHERE of_rows AND {_YOUNG}
    GROUP BY {_SOURCE}, app_id
)
GROUP BY {_SOURCE}, app_id
"""  # noqa: S608  # constants only; values are server-side parameters


def _lacking(have: str, lack: str) -> str:
    """Events of one app and source that only one of the databases has, and the first of them.

    Of copies that were stored, merges leave the one that was inserted last. Copies of two sources
    are inserted here in this order, there in that: what one table lacks here, it may have there.
    """
    here = f"{_PLACE} AND {_BETWEEN} AND app_id = {{app:String}} AND {_YOUNG}"
    return f"""
SELECT uniqExact(device_id, event_id), argMin(toString(event_id), kafka_offset)
FROM {have}.events
WHERE {here} AND (device_id, event_id) NOT IN (
    SELECT device_id, event_id FROM {lack}.events
    WHERE app_id = {{app:String}} AND event_id IN (SELECT event_id FROM {have}.events WHERE {here})
)
"""  # noqa: S608  # constants only; values are server-side parameters


_DOUBLED = f"""
SELECT count() - uniqExact(kafka_offset) FROM {SHADOW}.events
WHERE {_PLACE} AND {_BETWEEN} AND app_id = {{app:String}}
"""  # noqa: S608  # constants only; values are server-side parameters


class Compared(Struct, frozen=True):
    """Rows of one app and source, from some of its offsets."""

    source: Source
    app_id: str
    live: int
    rebuilt: int
    missing: int = 0  # events that the rebuilt table lacks
    first_missing: str = ""  # the id of one of them
    regained: int = 0  # events that the live table lacks
    doubled: int = 0  # rows that the rebuilt table has twice


class ShadowRows:
    """Reads the live tables, writes the rebuilt ones. Raises Retryable, Misconfigured."""

    def __init__(self, client: AsyncClient, settings: Mapping[str, str]) -> None:
        self._client = client
        self._settings = {**settings, "max_execution_time": str(int(LONG_SECONDS))}
        self._columns: dict[str, str] = {}

    async def sources(self) -> list[Source]:
        return sorted(Source(*one) for one in await self._rows(_SOURCES))

    async def chunks(self, positions: Mapping[Source, int]) -> dict[Source, list[LiveChunk]]:
        """The live chunks of these sources that begin at their positions or behind them."""
        bounds = [(source, position, NO_END) for source, position in positions.items()]
        of_rows, values = _condition(bounds, "chunk_start", "kafka_offset")
        of_chunks, _ = _condition(bounds, "chunk_start")
        found: dict[Source, list[LiveChunk]] = {source: [] for source in positions}
        sql = _CHUNKS.replace("of_rows", of_rows).replace("of_chunks", of_chunks)
        for cluster, topic, partition, *chunk in await self._rows(sql, **values):
            found[Source(cluster, topic, partition)].append(LiveChunk(*chunk))
        return found

    async def copy(self, units: Sequence[Unit], token: str) -> None:
        """The units' rows in one INSERT under `token`, then the account of their chunks."""
        of_units, values = _of(units)
        columns = await self._columns_of("events")
        await self._command(
            f"INSERT INTO {SHADOW}.events ({columns}) SELECT {columns} FROM {DATABASE}.events"  # noqa: S608
            f" WHERE {of_units} ORDER BY {_SOURCE}, kafka_offset",
            values,
            {"insert_deduplication_token": token},
        )
        await self.copy_account(units)

    async def copy_account(self, units: Sequence[Unit]) -> None:
        """As it stands in the live table: it counts rows that were forgotten since, too."""
        of_units, values = _of(units)
        columns = await self._columns_of("chunks")
        await self._command(
            f"INSERT INTO {SHADOW}.chunks ({columns}) SELECT {columns}"  # noqa: S608
            f" FROM {DATABASE}.chunks FINAL WHERE {of_units}",
            values,
            {"deduplicate_insert": "disable", "insert_deduplicate": "0"},
        )

    async def compare(self, bounds: Mapping[Source, tuple[int, int]]) -> list[Compared]:
        """Both tables' rows of these sources, from their offsets [start, end), by app."""
        found: list[Compared] = []
        every = [(source, start, end) for source, (start, end) in bounds.items()]
        of_rows, values = _condition(every, "kafka_offset")
        sql = _COUNTS.replace("of_rows", of_rows)
        for *place, app_id, live, rebuilt, is_same in await self._rows(sql, **values):
            source = Source(*place)
            if is_same:
                found.append(Compared(source, app_id, live, rebuilt))
                continue
            start, end = bounds[source]
            of = {**structs.asdict(source), "start": start, "end": end, "app": app_id}
            ((missing, first),) = await self._rows(_lacking(DATABASE, SHADOW), **of)
            ((regained, _),) = await self._rows(_lacking(SHADOW, DATABASE), **of)
            ((doubled,),) = await self._rows(_DOUBLED, **of)
            found.append(Compared(source, app_id, live, rebuilt, missing, first, regained, doubled))
        return found

    async def view_rows(self, database: str, table: str) -> dict[str, int]:
        """Rows of a view's table by partition, merged; none where an engine keeps no partitions."""
        ((engine,),) = await self._rows(
            f"SELECT engine FROM system.tables WHERE database = '{database}' AND name = '{table}'"  # noqa: S608
        )
        if not str(engine).endswith("MergeTree"):
            return {}
        merged = "" if engine in ("MergeTree", "ReplicatedMergeTree") else "FINAL"
        found = await self._rows(
            f"SELECT _partition_id, count() FROM {database}.{table} {merged}"  # noqa: S608
            " GROUP BY _partition_id"
        )
        return {str(name): int(count) for name, count in found}

    async def carry(self, table: str, partition_id: str) -> None:
        """Take over a whole partition as it stands: one that `events` has no rows for any more."""
        sql = (
            f"ALTER TABLE {SHADOW}.{table} ATTACH PARTITION ID '{partition_id}'"
            f" FROM {DATABASE}.{table}"
        )
        await guarded(self._client.command(sql), LONG_SECONDS)

    async def forgotten(self) -> int:
        """Rows that were deleted for somebody who asked to be forgotten."""
        return int((await self._rows(f"SELECT count() FROM {DATABASE}.forgotten FINAL"))[0][0])  # noqa: S608

    async def count(self, database: str) -> int:
        return int((await self._rows(f"SELECT count() FROM {database}.events"))[0][0])  # noqa: S608

    async def _columns_of(self, table: str) -> str:
        """What both tables have and an INSERT may name."""
        if table not in self._columns:
            found = await self._rows(
                "SELECT name FROM system.columns"  # noqa: S608
                f" WHERE database = '{DATABASE}' AND table = '{table}'"
                " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL')"
                " ORDER BY position"
            )
            self._columns[table] = ", ".join(f"`{name}`" for (name,) in found)
        return self._columns[table]

    async def _command(
        self, sql: str, values: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        every = {**self._settings, "max_threads": "1", "wait_end_of_query": "1", **settings}
        call = self._client.command(sql, parameters=dict(values), settings=every)
        await guarded(call, LONG_SECONDS)

    async def _rows(self, sql: str, **values: object) -> Sequence[tuple[Any, ...]]:
        found = await guarded(self._client.query(sql, parameters=values), LONG_SECONDS)
        return [tuple(row) for row in found.result_rows]


def _of(units: Sequence[Unit]) -> tuple[str, dict[str, str]]:
    return _condition([(unit.source, unit.start, unit.end) for unit in units], "chunk_start")


def _condition(
    bounds: Sequence[tuple[Source, int, int]], *columns: str
) -> tuple[str, dict[str, str]]:
    """Rows of these sources whose columns lie in the source's bounds, and the values it names."""
    texts = sorted({text for one in bounds for text in (one[0].cluster, one[0].topic)})
    name = {text: f"{{text{number}:String}}" for number, text in enumerate(texts)}
    found = [
        f"(kafka_cluster = {name[one.cluster]} AND kafka_topic = {name[one.topic]}"
        f" AND kafka_partition = {one.partition}"
        + "".join(f" AND {column} >= {start} AND {column} < {end}" for column in columns)
        + ")"
        for one, start, end in bounds
        if start < end
    ]
    values = {f"text{number}": text for number, text in enumerate(texts)}
    return "(" + (" OR ".join(found) or "0") + ")", values
