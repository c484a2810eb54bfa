"""The last state of every device, kept in SQLite from the topic alone.

    python device_state.py BOOTSTRAP FILE

State and offsets change in one transaction, so each record counts once, however this ends.
"""

import asyncio
import json
import sqlite3
import sys
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

TOPIC = "app-events"
TABLES = """
CREATE TABLE IF NOT EXISTS devices (
    app_id TEXT, device_id TEXT, sequence INTEGER, occurred_at REAL,
    event_type TEXT, app_version TEXT, records INTEGER, PRIMARY KEY (app_id, device_id));
CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next INTEGER);
"""
COUNT = """
INSERT INTO devices VALUES
    (:app_id, :device_id, :sequence, :occurred_at, :event_type, :app_version, 1)
ON CONFLICT DO UPDATE SET records = records + 1
"""
# A copy of an older event, sent again, lies behind newer ones: it must not turn the state back.
MOVE_ON = """
UPDATE devices
SET sequence = :sequence, occurred_at = :occurred_at, event_type = :event_type,
    app_version = :app_version
WHERE app_id = :app_id AND device_id = :device_id
  AND (sequence, occurred_at) < (:sequence, :occurred_at)
"""


def keep(store: sqlite3.Connection, value: bytes) -> None:
    event = {"sequence": 0, "app_version": "", **json.loads(value)}  # defaults are left out
    event["occurred_at"] = datetime.fromisoformat(event["occurred_at"]).timestamp()
    store.execute(COUNT, event)
    store.execute(MOVE_ON, event)


async def main(bootstrap: str, file: str) -> None:
    store = sqlite3.connect(file)
    store.executescript(TABLES)
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        for partition, offset in store.execute("SELECT partition, next FROM offsets"):
            consumer.seek(TopicPartition(TOPIC, partition), offset)
        while True:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                with store:
                    for record in records:
                        keep(store, record.value)
                    store.execute(
                        "INSERT OR REPLACE INTO offsets VALUES (?, ?)",
                        (place.partition, records[-1].offset + 1),
                    )


asyncio.run(main(*sys.argv[1:]))
