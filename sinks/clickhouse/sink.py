"""The ClickHouse sink: one block is its account, then one INSERT under the chunk's token.

The token makes a repeated insert no insert at all, in the table and in every view behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

import aiohttp
import msgspec
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from sinks.clickhouse.failures import failure_of
from sinks.clickhouse.tables import Table, body_of, constant_of
from sinks.sink import Block, Chunk, Misconfigured, Retryable, Row, Unwritable

T = TypeVar("T")

# Stated one by one where the server knows them: their defaults moved from release to release.
INSERT_SETTINGS = {
    "async_insert": "0",
    "deduplicate_insert": "enable",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "optimize_on_insert": "0",
    "max_insert_threads": "1",
    "materialized_views_ignore_errors": "0",
    "parallel_view_processing": "0",
    "input_format_allow_errors_num": "0",
    "input_format_allow_errors_ratio": "0",
    "input_format_skip_unknown_fields": "1",
    "input_format_null_as_default": "1",
    "date_time_input_format": "best_effort",
    "max_insert_block_size": "1048449",
    "min_insert_block_size_rows": "1048449",
    "min_insert_block_size_bytes": "536870912",
    "max_partitions_per_insert_block": "100",
    "max_execution_time": "20",
}
CHUNK_COLUMNS = (
    "kafka_cluster",
    "kafka_topic",
    "kafka_partition",
    "chunk_start",
    "chunk_end",
    "app_id",
    "hour",
    "inserted",
    "duplicates",
    "dead",
)
NETWORK = (OSError, TimeoutError, aiohttp.ClientError)
ASK_SECONDS = 30.0  # for a question about what is stored
MOST_BAD = 1_000  # found by one bisection; the writer asks again when there are more


async def known_settings(client: AsyncClient) -> dict[str, str]:
    """INSERT_SETTINGS without those that this server does not have. Raises Retryable."""
    found = await guarded(client.query("SELECT name FROM system.settings"))
    names = {row[0] for row in found.result_rows}
    return {name: value for name, value in INSERT_SETTINGS.items() if name in names}


async def guarded(call: Awaitable[T], seconds: float = ASK_SECONDS) -> T:
    """A call to ClickHouse with a deadline, whose errors are the three failures of a sink."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except ClickHouseError as error:
        code = error.code if isinstance(error, Error) else None
        raise failure_of(str(error), code) from None
    except NETWORK as error:
        raise Retryable(f"ClickHouse does not answer: {type(error).__name__}: {error}") from None


class ClickHouseSink:
    """Writes the blocks of one table; every insert within `seconds`."""

    def __init__(
        self, client: AsyncClient, table: Table, settings: Mapping[str, str], seconds: float
    ) -> None:
        self._client = client
        self._table = table
        self._settings = dict(settings)
        self._seconds = seconds

    async def write(self, block: Block) -> None:
        """Store the block: the account of what has no row, then its rows.

        In this order, a chunk that has rows has all of its account, whatever comes between.
        """
        if self._table.has_account:
            await self._write_rest(block)
        if block.rows:
            body = self._body(block, block.rows)
            await self._insert(self._table.name, self._table.columns, body, block.token)

    async def _write_rest(self, block: Block) -> None:
        """Other contents are another insert: rows found bad change the account of a chunk, and
        `chunks` keeps the newest."""
        rest = _rest(block)
        if not rest:
            return
        token = f"{block.token}:rest-{blake2b(rest, digest_size=8).hexdigest()}"
        try:
            await self._insert(self._table.chunks, CHUNK_COLUMNS, rest, token)
        except Unwritable as error:  # these rows are ours: no record is at fault
            raise Misconfigured(str(error)) from None

    async def find_bad(self, block: Block) -> dict[int, str]:
        """Bisect against the probe table, which parses everything and keeps nothing."""
        bad: dict[int, str] = {}
        await self._search(block, block.rows, bad)
        return bad

    async def _search(self, block: Block, rows: Sequence[Row], bad: dict[int, str]) -> None:
        if len(bad) >= MOST_BAD:
            return
        try:
            await self._insert(self._table.probe, self._table.columns, self._body(block, rows), "")
        except Unwritable as error:
            if len(rows) == 1:
                bad[rows[0].offset] = str(error)
                return
            middle = len(rows) // 2
            await self._search(block, rows[:middle], bad)
            await self._search(block, rows[middle:], bad)

    def _body(self, block: Block, rows: Sequence[Row]) -> bytes:
        tallies = {bucket: (one.duplicates, one.dead) for bucket, one in block.tallies.items()}
        return body_of(rows, self._constant(block.chunk), tallies)

    def _constant(self, chunk: Chunk) -> bytes:
        """What all rows of the chunk share."""
        return constant_of(chunk.cluster, chunk.topic, chunk.partition, chunk.start, chunk.end)

    async def _insert(self, table: str, columns: Sequence[str], body: bytes, token: str) -> None:
        settings = {**self._settings, "wait_end_of_query": "1"}
        if token:
            settings["insert_deduplication_token"] = token
        await guarded(
            self._client.raw_insert(table, columns, body, settings=settings, fmt="JSONEachRow"),
            self._seconds,
        )


def _rest(block: Block) -> bytes:
    """The account of apps and hours of the chunk that have no row to carry it."""
    chunk = block.chunk
    return b"".join(
        msgspec.json.encode(
            {
                "kafka_cluster": chunk.cluster,
                "kafka_topic": chunk.topic,
                "kafka_partition": chunk.partition,
                "chunk_start": chunk.start,
                "chunk_end": chunk.end,
                "app_id": app_id,
                "hour": _hour(hour),
                "inserted": 0,
                "duplicates": tally.duplicates,
                "dead": tally.dead,
            }
        )
        + b"\n"
        for (app_id, hour), tally in sorted(block.tallies.items())
        if tally.inserted == 0
    )


def _hour(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:00:00")
