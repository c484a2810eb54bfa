"""The oracle of exactness: the log itself, read back, against every table.

Expected is the set of (partition, offset) of the first occurrences of good events.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from gateway.contract.dead_letter import from_headers
from gateway.contract.record import partition_of
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from tests.builders import make_record
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import read_topic

Place = tuple[int, int]  # partition and offset

MONTHS = ("2026-10-31", "2026-11-01")  # so that a chunk is two parts


def produce(bootstrap: str, app: str, seed: int, count: int = 1200, *, poison: bool = True) -> None:
    """Events of 30 devices; a tenth is sent again at once or later, some can never be stored."""
    chance = random.Random(seed)
    records: list[tuple[bytes, bytes]] = []
    good: list[tuple[bytes, bytes]] = []
    for number in range(count):
        device = f"{app}-{chance.randrange(30)}"
        if good and chance.random() < 0.1:
            records.append(chance.choice(good[-200:]))
            continue
        record = make_record(
            event_id=str(UUID(int=chance.getrandbits(128))),
            app_id=app,
            device_id=device,
            sequence=number + 1,  # so that a minus before it is wrong
            received_at=f"{chance.choice(MONTHS)}T0{chance.randrange(3)}:00:00.000Z",
            ts="2026-10-31T23:00:00Z",
        )
        value = json.dumps(record).encode()
        if poison and chance.random() < 0.02:
            records.append((device.encode(), _spoil(value, chance.randrange(4))))
            continue
        good.append((device.encode(), value))
        records.append((device.encode(), value))
    asyncio.run(_send(bootstrap, records))


def _spoil(value: bytes, kind: int) -> bytes:
    if kind == 0:
        return value[:-7]
    if kind == 1:
        return value.replace(b'"sequence": ', b'"sequence": -')
    if kind == 2:
        return value.replace(b'"event_id": "', b'"event_id": "no-')
    return value[:-1] + b', "app_version": "twice"}'  # only the engine refuses a repeated key


async def _send(bootstrap: str, records: list[tuple[bytes, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for key, value in records:
            partition = partition_of(key, APP_EVENTS.partitions)
            await producer.send(APP_EVENTS.name, key=key, value=value, partition=partition)
    finally:
        await producer.stop()


class Expected(Struct, frozen=True):
    """What the log says of one app."""

    first: set[Place]  # first occurrences of good events: these are stored
    bad: set[Place]  # these are dead letters


def expected(bootstrap: str, app: str) -> Expected:
    seen: set[tuple[str, str]] = set()
    first: set[Place] = set()
    bad: set[Place] = set()
    for record in asyncio.run(read_topic(bootstrap, APP_EVENTS.name)):
        value = record.value or b""
        if app.encode() not in value:
            continue
        row, place = _good_row(value), (record.partition, record.offset)
        if row is None:
            bad.add(place)
        elif (row["device_id"], row["event_id"]) not in seen:
            seen.add((row["device_id"], row["event_id"]))
            first.add(place)
    return Expected(first, bad)


def _good_row(value: bytes) -> dict[str, Any] | None:
    try:
        pairs = json.loads(value, object_pairs_hook=list)
    except ValueError:
        return None
    row = dict(pairs)
    is_good = len(row) == len(pairs) and row.get("sequence", 0) >= 0 and len(row["event_id"]) == 36
    return row if is_good else None


class Stored(Struct, frozen=True):
    """What the tables say of one app, without FINAL."""

    places: list[Place]
    unique_ids: int
    hourly: int
    overlapping_chunks: int
    open_accounts: list[list[Any]]  # chunks whose account is not their number of records


def stored(clickhouse: ClickHouseUnderTest, app: str) -> Stored:
    def rows(sql: str) -> list[list[Any]]:
        return clickhouse.rows(sql, app=app)

    chunks = (
        "(SELECT DISTINCT kafka_partition, chunk_start, chunk_end FROM telemetry.events"
        " WHERE app_id = {app:String})"
    )
    places = rows(
        "SELECT kafka_partition, kafka_offset FROM telemetry.events WHERE app_id = {app:String}"
    )
    overlaps = rows(
        "SELECT count() FROM (SELECT chunk_start, lagInFrame(chunk_end) OVER"
        f" (PARTITION BY kafka_partition ORDER BY chunk_start) AS before FROM {chunks})"
        " WHERE chunk_start < before"
    )
    accounts = rows(
        "SELECT kafka_partition, chunk_start, any(chunk_end) - chunk_start AS records,"
        " sum(inserted + duplicates + dead) AS outcomes FROM telemetry.chunks FINAL"
        f" WHERE (kafka_partition, chunk_start, chunk_end) IN {chunks}"
        " GROUP BY kafka_partition, chunk_start HAVING records != outcomes"
    )
    (ids,) = rows("SELECT uniqExact(event_id) FROM telemetry.events WHERE app_id = {app:String}")
    (hourly,) = rows("SELECT sum(events) FROM telemetry.hourly WHERE app_id = {app:String}")
    return Stored(
        [(int(partition), int(offset)) for partition, offset in places],
        int(ids[0]),
        int(hourly[0]),
        int(overlaps[0][0]),
        accounts,
    )


def _letters(bootstrap: str) -> set[Place]:
    found = (from_headers(one.headers) for one in _read(bootstrap, APP_EVENTS_DEAD.name))
    return {
        (letter.origin_partition, letter.origin_offset)
        for letter in found
        if letter.origin_topic == APP_EVENTS.name
    }


def _read(bootstrap: str, topic: str) -> list[Any]:
    return list(asyncio.run(read_topic(bootstrap, topic)))


def assert_exact(bootstrap: str, clickhouse: ClickHouseUnderTest, app: str) -> None:
    """Every first occurrence once, in every table, every bad record a letter, nothing else."""
    said = expected(bootstrap, app)
    found = stored(clickhouse, app)
    letters = _letters(bootstrap)
    twice = [place for place, count in Counter(found.places).items() if count > 1]
    missing = sorted(said.first - set(found.places))
    surplus = sorted(set(found.places) - said.first)
    assert (missing, surplus, twice) == ([], [], [])
    assert (found.hourly, found.unique_ids) == (len(said.first), len(said.first))
    assert (found.overlapping_chunks, found.open_accounts) == (0, [])
    assert said.bad <= letters
    assert not said.first & letters
