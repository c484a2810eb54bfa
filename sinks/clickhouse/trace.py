"""One event's way: when it was received, where it lies in Kafka, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct

from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import answered

# The first row of each (app, device, id); `copies` are rows of re-sends not yet merged away.
_ROWS = """
SELECT
    toString(event_id) AS event_id, source_event_id, app_id, device_id, event_type,
    received_at, protocol, request_id, kafka_cluster, kafka_topic, kafka_partition, kafka_offset,
    chunk_start, chunk_end, inserted_at, copies
FROM
(
    SELECT *, count() OVER (PARTITION BY app_id, device_id, event_id) AS copies
    FROM telemetry.events
    WHERE (event_id = toUUIDOrNull({id:String})
           OR (source_event_id = {id:String} AND source_event_id != ''))
      AND ({app:String} = '' OR app_id = {app:String})
    ORDER BY kafka_offset
    LIMIT 1 BY app_id, device_id, event_id
)
ORDER BY received_at, app_id, device_id
LIMIT 20
"""

_CHUNK = """
SELECT sum(inserted), sum(duplicates), sum(dead)
FROM telemetry.chunks FINAL
WHERE kafka_cluster = {cluster:String} AND kafka_topic = {topic:String}
  AND kafka_partition = {partition:UInt16} AND chunk_start = {start:UInt64}
"""

# A sink's letter names the id as stored; the original of a vendor's id stands in the record. It may
# lie there twice: its origin is its identity. The door's letter is told by its own place.
_LETTERS = """
SELECT
    if(source = 'gateway', 'door', toString(source)) AS by, code, text, app_id, device_id, event_id,
    protocol, request_id, received_at, dead_at, origin_topic, origin_partition, origin_offset,
    kafka_cluster, kafka_topic, kafka_partition, kafka_offset,
    (kafka_cluster, toInt64(kafka_partition), toInt64(kafka_offset)) IN (
        SELECT kafka_cluster, toInt64(origin_partition), origin_offset
        FROM telemetry.dead_letters
        WHERE source = 'replay'
    ) AS put_back
FROM telemetry.dead_letters
WHERE source != 'replay'
  AND ((lower(event_id) = lower({id:String}) AND event_id != '')
       OR (source = 'sink' AND {id:String} != ''
           AND JSONExtractString(original, 'source_event_id') = {id:String}))
  AND ({app:String} = '' OR app_id = {app:String})
ORDER BY dead_at
LIMIT 1 BY source, kafka_cluster, if(source = 'sink', origin_partition, toInt32(kafka_partition)),
    if(source = 'sink', origin_offset, toInt64(kafka_offset))
LIMIT 20
"""


class Trace(Struct, frozen=True):
    """Rows and dead letters of one id: each a list of what was found, by name."""

    rows: list[dict[str, object]]
    letters: list[dict[str, object]]

    @property
    def is_known(self) -> bool:
        return bool(self.rows or self.letters)


async def trace(client: AsyncClient, event_id: str, app: str) -> Trace:
    """What is stored of `event_id`, as an SDK sent it or as it is stored; `app` "" asks for all.

    Raises Unreachable, ClickHouseError.
    """
    asked = {"id": event_id, "app": app}
    rows = await _objects(client, _ROWS, asked)
    for row in rows:
        names = {"cluster": "kafka_cluster", "topic": "kafka_topic",
                 "partition": "kafka_partition", "start": "chunk_start"}  # fmt: skip
        place = {name: row[column] for name, column in names.items()}
        ((inserted, duplicates, dead),) = await _rows(client, _CHUNK, place)
        row |= {"chunk_stored": inserted, "chunk_duplicates": duplicates, "chunk_dead": dead}
    return Trace(rows, await _objects(client, _LETTERS, asked))


async def _objects(
    client: AsyncClient, sql: str, values: Mapping[str, object]
) -> list[dict[str, object]]:
    found = await answered(client.query(sql, parameters=dict(values)))
    return [
        {name: plain(value) for name, value in zip(found.column_names, row, strict=True)}
        for row in found.result_rows
    ]


async def _rows(
    client: AsyncClient, sql: str, values: Mapping[str, object]
) -> list[tuple[object, ...]]:
    found = await answered(client.query(sql, parameters=dict(values)))
    return [tuple(row) for row in found.result_rows]


def told(found: Trace) -> list[tuple[str, list[tuple[str, str]]]]:
    """The trace as people read it: a title, then facts, for each row and letter."""
    return [_of_row(one) for one in found.rows] + [_of_letter(one) for one in found.letters]


def _of_row(row: Mapping[str, object]) -> tuple[str, list[tuple[str, str]]]:
    verdict = "stored"
    if row["copies"] != 1:
        verdict += f", {row['copies']} rows: copies that a merge has yet to make one"
    return _title(row), [
        ("received", f"{row['received_at']} by {row['protocol']}, request {row['request_id']}"),
        ("verdict", verdict),
        ("kafka", f"{_place(row, 'kafka')} of cluster {row['kafka_cluster']}"),
        ("chunk", f"{row['chunk_start']} to {row['chunk_end']}: {row['chunk_stored']} stored, "
                  f"{row['chunk_duplicates']} duplicates dropped, "
                  f"{row['chunk_dead']} dead-lettered"),
        ("row", f"inserted {row['inserted_at']}, {row['event_type']} of device "
                f"{row['device_id']}"),
    ]  # fmt: skip


def _of_letter(letter: Mapping[str, object]) -> tuple[str, list[tuple[str, str]]]:
    at_door = letter["by"] == "door"
    facts = [("verdict", f"rejected at the door: {letter['code']}" if at_door
              else f"dead-lettered by the sink: {letter['code']}"),
             ("reason", str(letter["text"]))]  # fmt: skip
    if at_door:
        received = f"{letter['received_at']} by {letter['protocol']}"
        facts.insert(0, ("received", f"{received}, request {letter['request_id']}"))
    else:
        facts.insert(0, ("kafka", f"{_place(letter, 'origin')} of cluster "
                                  f"{letter['kafka_cluster']}"))  # fmt: skip
    back = ", put back since" if letter["put_back"] else ""
    facts.append(("letter", f"{_place(letter, 'kafka')}, {letter['dead_at']}{back}"))
    return _title(letter), facts


def _title(one: Mapping[str, object]) -> str:
    sent_as = one.get("source_event_id")
    return f"{one['event_id']}{f', sent as {sent_as}' if sent_as else ''}, app {one['app_id']}"


def _place(one: Mapping[str, object], of: str) -> str:
    return f"{one[f'{of}_topic']}-{one[f'{of}_partition']} at offset {one[f'{of}_offset']}"
