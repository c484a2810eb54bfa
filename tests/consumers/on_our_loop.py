"""Crashes in SQLite, each once, on the sink's own loop.

TELEMETRY_KAFKA_BOOTSTRAP=… TELEMETRY_SINK_GROUP=crashes python on_our_loop.py FILE
"""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence

import msgspec

from gateway.runtime import load_config, setup_logging
from sinks.config import PREFIXES, SinkConfig
from sinks.plug import run_store
from sinks.rows import identity_of
from sinks.sink import Block, Polled, StoredChunk

TABLES = """
CREATE TABLE IF NOT EXISTS crashes (
    topic TEXT, partition INTEGER, record INTEGER, app_id TEXT, device_id TEXT, event_id TEXT,
    app_version TEXT, crash_type TEXT, PRIMARY KEY (topic, partition, record));
CREATE TABLE IF NOT EXISTS chunks (
    topic TEXT, partition INTEGER, first INTEGER, end INTEGER,
    PRIMARY KEY (topic, partition, first));
"""
PLACE = "topic = ? AND partition = ?"
CHUNK = f"SELECT first, end, 0.0 FROM chunks WHERE {PLACE}"  # they are never forgotten: no age
CRASH = f"SELECT record, app_id, device_id, event_id FROM crashes WHERE {PLACE}"


class Event(msgspec.Struct):
    """What this view wants to know of an event; other keys are passed over."""

    event_id: str
    event_type: str
    app_id: str
    device_id: str
    app_version: str = ""
    crash_type: str = ""


class Crashes:
    """Rows and the chunks that they came in, in one file for one Kafka cluster."""

    def __init__(self, file: str) -> None:
        self._store = sqlite3.connect(file)
        self._store.executescript(TABLES)

    async def write(self, block: Block) -> None:
        chunk = block.chunk
        place = chunk.topic, chunk.partition
        events = [(row.offset, msgspec.json.decode(row.value, type=Event)) for row in block.rows]
        crashes = [
            (*place, at, one.app_id, one.device_id, one.event_id, one.app_version, one.crash_type)
            for at, one in events
            if one.event_type == "app_crash"
        ]
        with self._store as store:  # the chunk and its rows, or neither
            values = (*place, chunk.start, chunk.end)
            sql = "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)"
            if store.execute(sql, values).rowcount:  # else it is stored already
                store.executemany("INSERT INTO crashes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", crashes)

    async def find_bad(self, block: Block) -> dict[int, str]:
        return {}  # SQLite takes any row

    async def newest(self, topic: str, partition: int, from_offset: int) -> StoredChunk | None:
        sql = f"{CHUNK} AND end > ? ORDER BY first DESC LIMIT 1"
        return self._chunk(sql, topic, partition, from_offset)

    async def find(self, topic: str, partition: int, start: int) -> StoredChunk | None:
        return self._chunk(f"{CHUNK} AND first = ?", topic, partition, start)

    async def identities(
        self, topic: str, partition: int, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        sql = f"{CRASH} AND record >= ? AND record < ? ORDER BY record"
        rows = self._store.execute(sql, (topic, partition, start, end))
        return [(offset, identity_of(*who)) for offset, *who in rows]

    async def settled(self, topic: str, partition: int, records: Sequence[Polled]) -> set[int]:
        return set()  # nor is this asked: no chunk grows old

    async def last_row(self, topic: str, partition: int) -> tuple[int, str] | None:
        sql = f"{CRASH} ORDER BY record DESC LIMIT 1"
        row = self._store.execute(sql, (topic, partition)).fetchone()
        return (row[0], row[3]) if row else None

    def _chunk(self, sql: str, *values: object) -> StoredChunk | None:
        row = self._store.execute(sql, values).fetchone()
        return StoredChunk(*row) if row else None


async def main(file: str) -> None:
    setup_logging()
    config = load_config(SinkConfig, PREFIXES, os.environ)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_store(config, None, lambda cluster: Crashes(f"{file}-{cluster}"), stop, on_ready)


def on_ready() -> None:
    print("ready", flush=True)


asyncio.run(main(sys.argv[1]))
