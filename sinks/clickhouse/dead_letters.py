"""What `telemetry.dead_letters` holds: how many of each reason, and some of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct

from sinks.clickhouse.sql import Answer, answered

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)  # what ClickHouse's Date can hold
DAYS = f"{FIRST_DAY}..{LAST_DAY}"

_SOURCE = "if(source = 'gateway', 'door', toString(source))"

# A letter may lie there more than once: a sink's is the same when its origin is.
_LETTERS = f"""
SELECT
    {_SOURCE} AS by,
    code,
    app_id,
    text,
    device_id,
    event_id,
    dead_at,
    if(origin_topic = '', '', concat(origin_topic, '-', toString(origin_partition), ' at ',
        toString(origin_offset))) AS origin,
    original,
    if(origin = '', concat(toString(kafka_partition), ' at ', toString(kafka_offset)), origin)
        AS identity,
    (kafka_cluster, toInt64(kafka_partition), toInt64(kafka_offset)) IN (
        SELECT kafka_cluster, toInt64(origin_partition), origin_offset
        FROM telemetry.dead_letters
        WHERE source = 'replay'
    ) AS is_replayed
FROM telemetry.dead_letters
WHERE source != 'replay'
  AND ({{app:String}} = '' OR app_id = {{app:String}})
  AND ({{reason:String}} = '' OR code = {{reason:String}})
  AND ({{source:String}} = '' OR by = {{source:String}})
  AND toDate(dead_at) BETWEEN {{first:Date}} AND {{last:Date}}
"""  # noqa: S608  # constants only; values are server-side parameters

_COUNTS = f"""
SELECT
    by AS source,
    code AS reason,
    uniqExact(identity) AS letters,
    uniqExactIf(identity, is_replayed) AS replayed,
    uniqExact(app_id) AS apps,
    min(dead_at) AS first_came,
    max(dead_at) AS last_came
FROM ({_LETTERS})
GROUP BY source, reason
ORDER BY letters DESC, source, reason
"""  # noqa: S608  # constants only

_EXAMPLES = f"""
SELECT
    dead_at AS came,
    by AS source,
    code AS reason,
    app_id AS app,
    text,
    device_id AS device,
    event_id,
    origin,
    is_replayed AS replayed,
    substringUTF8(original, 1, {{characters:UInt32}}) AS original
FROM ({_LETTERS})
ORDER BY dead_at DESC, identity
LIMIT 1 BY identity
LIMIT {{limit:UInt32}}
"""  # noqa: S608  # constants only

ORIGINAL_CHARACTERS = 300
COUNT_COLUMNS = ("source", "reason", "letters", "replayed", "apps", "first_came", "last_came")
EXAMPLE_COLUMNS = (
    "came", "source", "reason", "app", "text", "device", "event_id", "origin", "replayed",
    "original",
)  # fmt: skip


class Asked(Struct, frozen=True, kw_only=True):
    """Which letters; an empty text asks for all."""

    app: str = ""
    reason: str = ""
    source: str = ""  # door | sink
    first: date = FIRST_DAY
    last: date = LAST_DAY

    def values(self) -> dict[str, str]:
        return {name: str(getattr(self, name)) for name in self.__struct_fields__}


async def counts(client: AsyncClient, asked: Asked) -> Answer:
    """Letters by source and reason. Raises Unreachable, ClickHouseError."""
    return await _ask(client, _COUNTS, asked.values(), COUNT_COLUMNS)


async def examples(client: AsyncClient, asked: Asked, limit: int) -> Answer:
    """The newest letters. Raises Unreachable, ClickHouseError."""
    values = {**asked.values(), "limit": limit, "characters": ORIGINAL_CHARACTERS}
    return await _ask(client, _EXAMPLES, values, EXAMPLE_COLUMNS)


async def _ask(
    client: AsyncClient, sql: str, values: Mapping[str, object], columns: tuple[str, ...]
) -> Answer:
    found = await answered(client.query(sql, parameters=dict(values)))
    return Answer(columns, [tuple(row) for row in found.result_rows])
