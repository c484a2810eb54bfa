"""Rows in ClickHouse as the sink puts them there: one insert per chunk, under the chunk's token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import uuid4

import msgspec
from msgspec import Struct

from sinks.clickhouse.sink import known_settings
from sinks.clickhouse.sql import AsyncClient
from sinks.clickhouse.tables import EVENTS
from tests.histories import Happened

COLUMNS = (*EVENTS.columns, "inserted_at")  # the sink leaves the last one to the server


class StoredChunk(Struct, frozen=True, kw_only=True):
    """Events as they lay in the log from offset `start` on; every test has a topic of its own."""

    events: Sequence[Happened]
    start: int = 0
    topic: str = msgspec.field(default_factory=lambda: f"events-{uuid4()}")
    duplicates: int = 0  # of each app and hour that has a row
    dead: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.events)

    def rows(self) -> list[dict[str, object]]:
        constant = {
            "protocol": "native",
            "request_id": "r-1",
            "kafka_cluster": "cluster-1",
            "kafka_topic": self.topic,
            "kafka_partition": 3,
            "chunk_start": self.start,
            "chunk_end": self.end,
            "chunk_duplicates": self.duplicates,
            "chunk_dead": self.dead,
        }
        return [
            {**_as_row(one), **constant, "kafka_offset": offset}
            for offset, one in enumerate(self.events, start=self.start)
        ]


def _as_row(one: Happened) -> dict[str, object]:
    row = msgspec.structs.asdict(one)
    return {name: _as_text(value) for name, value in row.items()}


def _as_text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value if isinstance(value, int | dict) else str(value)


async def store(client: AsyncClient, chunk: StoredChunk, *, again: str = "") -> None:
    """Insert the chunk. `again` makes it another insert of the same rows."""
    token = f"{chunk.topic}:{chunk.start}-{chunk.end}{again}"
    await insert(client, "telemetry.events", COLUMNS, chunk.rows(), token)


async def insert(
    client: AsyncClient,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    token: str,
) -> None:
    settings = {
        **await known_settings(client),
        "wait_end_of_query": "1",
        "insert_deduplication_token": token,
    }
    body = "\n".join(json.dumps(row) for row in rows).encode()
    await client.raw_insert(table, columns, body, settings=settings, fmt="JSONEachRow")
