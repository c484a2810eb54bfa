"""What the stored rows say about the log: the ledger for when Kafka has forgotten our offsets."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct

from sinks.clickhouse.sink import guarded
from sinks.clickhouse.tables import Table
from sinks.rows import identity_of
from sinks.sink import Polled, Row, StoredChunk

AT_ONCE = 500  # ids in a question: they go into a URL
FORGOTTEN_SECONDS = 2**31  # the age of a chunk whose token lies with a table before the last swap

_PLACE = """kafka_cluster = {cluster:String}
  AND kafka_topic = {topic:String}
  AND kafka_partition = {partition:UInt16}"""


class _Named(Struct):
    """A record's own name."""

    event_id: str


class ClickHouseLedger:
    """Reads the rows of one table; all of one Kafka cluster."""

    def __init__(self, client: AsyncClient, table: Table, cluster: str) -> None:
        self._client = client
        self._table = table
        self._cluster = cluster

    async def newest(self, topic: str, partition: int, from_offset: int) -> StoredChunk | None:
        """The newest chunk with a row at or beyond `from_offset`, or an account there."""
        values = {"offset": max(0, from_offset)}
        found = await self._chunk(
            self._table.name, "kafka_offset >= {offset:UInt64}", topic, partition, values
        )
        if not self._table.has_account:
            return found
        account = await self._chunk(
            self._table.chunks, "chunk_end > {offset:UInt64}", topic, partition, values
        )
        both = [one for one in (found, account) if one is not None]
        return max(both, key=lambda one: one.start, default=None)

    async def find(self, topic: str, partition: int, start: int) -> StoredChunk | None:
        """The chunk whose rows say that it begins at `start`; or its account says that it had some,
        and merges have left other copies of all of them."""
        found = await self._chunk(
            self._table.name, "chunk_start = {start:UInt64} AND kafka_offset >= {start:UInt64}",
            topic, partition, {"start": start},
        )  # fmt: skip
        if found is not None or not self._table.has_account:
            return found
        return await self._chunk(
            self._table.chunks, "chunk_start = {start:UInt64} AND inserted > 0",
            topic, partition, {"start": start},
        )  # fmt: skip

    async def identities(
        self, topic: str, partition: int, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        sql = f"""
SELECT kafka_offset, app_id, device_id, toString(event_id)
FROM {self._table.name}
WHERE {_PLACE} AND kafka_offset >= {{start:UInt64}} AND kafka_offset < {{end:UInt64}}
ORDER BY kafka_offset
"""  # noqa: S608  # constants only; values are server-side parameters
        rows = await self._query(sql, topic, partition, {"start": max(0, start), "end": end})
        return [(_int(row[0]), identity_of(str(row[1]), str(row[2]), str(row[3]))) for row in rows]

    async def settled(self, topic: str, partition: int, records: Sequence[Polled]) -> set[int]:
        """Merges may have left another copy of an event than the one in the chunk."""
        if not records:
            return set()
        start, end = records[0].offset, records[-1].offset + 1
        stored = await self.identities(topic, partition, start, end)
        found = {offset for offset, _ in stored}
        found |= await self._forgotten(topic, partition, start, end)
        rows = [one for one in map(self._table.read, records) if isinstance(one, Row)]
        missing = [row for row in rows if row.identity and row.offset not in found]
        for first in range(0, len(missing), AT_ONCE):
            found |= await self._elsewhere(missing[first : first + AT_ONCE])
        return found

    async def _elsewhere(self, rows: Sequence[Row]) -> set[int]:
        sql = f"""
SELECT app_id, device_id, toString(event_id)
FROM {self._table.name}
WHERE app_id IN {{apps:Array(String)}} AND event_id IN {{ids:Array(UUID)}}
"""  # noqa: S608  # constants only; values are server-side parameters
        ids = [msgspec.json.decode(row.value, type=_Named).event_id for row in rows]
        values = {"ids": ids, "apps": sorted({row.bucket[0] for row in rows})}
        found = await guarded(self._client.query(sql, parameters=values))
        stored = {identity_of(*row) for row in found.result_rows}
        return {row.offset for row in rows if row.identity in stored}

    async def _forgotten(self, topic: str, partition: int, start: int, end: int) -> set[int]:
        sql = f"""
SELECT kafka_offset
FROM telemetry.forgotten
WHERE {_PLACE} AND kafka_offset >= {{start:UInt64}} AND kafka_offset < {{end:UInt64}}
"""  # noqa: S608  # constants only; values are server-side parameters
        rows = await self._query(sql, topic, partition, {"start": start, "end": end})
        return {_int(row[0]) for row in rows}

    async def last_row(self, topic: str, partition: int) -> tuple[int, str] | None:
        event_id = "toString(event_id)" if self._table.drops_copies else "''"
        sql = f"""
SELECT kafka_offset, {event_id}
FROM {self._table.name}
WHERE {_PLACE}
ORDER BY kafka_offset DESC
LIMIT 1
"""  # noqa: S608  # constants only; values are server-side parameters
        rows = await self._query(sql, topic, partition, {})
        return (_int(rows[0][0]), str(rows[0][1])) if rows else None

    async def _chunk(
        self, table: str, bound: str, topic: str, partition: int, values: dict[str, int]
    ) -> StoredChunk | None:
        sql = f"""
SELECT
    chunk_start,
    max(chunk_end),
    if(max(inserted_at) <= (SELECT max(swapped_at) FROM telemetry.replays),
        {{forgotten:UInt32}}, dateDiff('second', max(inserted_at), now64(3)))
FROM {table}
WHERE {_PLACE} AND {bound}
GROUP BY chunk_start
ORDER BY chunk_start DESC
LIMIT 1
"""  # noqa: S608  # constants only; values are server-side parameters
        rows = await self._query(sql, topic, partition, values)
        if not rows:
            return None
        start, end, age = (_int(value) for value in rows[0])
        return StoredChunk(start, end, float(age))

    async def _query(
        self, sql: str, topic: str, partition: int, values: dict[str, int]
    ) -> list[tuple[object, ...]]:
        parameters = {
            "cluster": self._cluster,
            "topic": topic,
            "partition": partition,
            "forgotten": FORGOTTEN_SECONDS,
            **values,
        }
        found = await guarded(self._client.query(sql, parameters=parameters))
        return [tuple(row) for row in found.result_rows]


def _int(value: object) -> int:
    return int(str(value))
