"""What ClickHouse holds of an app: its rows, a share of its devices at a time, and dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import islice
from typing import Any

from msgspec import Struct

from loadtest.compare import Seen
from loadtest.digest import of_row
from sinks.clickhouse.sql import AsyncClient, Unreachable

NAMES_PER_QUERY = 500  # devices or events: they travel in the URL
QUERY_SECONDS = 60.0


class Share(Struct, frozen=True):
    """Which devices are asked for: those of one bucket, and of them only `devices` where they are
    few enough to be named."""

    bucket: int
    buckets: int
    devices: Collection[str]

    def parameters(self) -> dict[str, Any]:
        named = sorted(self.devices) if len(self.devices) <= NAMES_PER_QUERY else []
        return {"bucket": self.bucket, "buckets": self.buckets, "devices": named}


async def count_rows(client: AsyncClient, app: str) -> int:
    """Rows of the app, copies included. Raises Unreachable, ClickHouseError."""
    ((count,),) = await _ask(client, "stored_count", {"app": app})
    return int(count)


async def stored_rows(client: AsyncClient, app: str, share: Share) -> list[Seen]:
    """Every row of a share, copies included. Raises Unreachable, ClickHouseError."""
    found = await _ask(client, "stored_events", {"app": app, **share.parameters()})
    return [
        Seen(
            device_id,
            event_id,
            int(sequence),
            int(partition),
            int(offset),
            of_row(kind, name, occurred_at, int(sequence), session, user, properties, tuple(crash)),
        )
        for (
            device_id,
            event_id,
            sequence,
            partition,
            offset,
            kind,
            name,
            occurred_at,
            session,
            user,
            properties,
            *crash,
        ) in found
    ]


async def put_aside(client: AsyncClient, app: str, event_ids: Iterable[str]) -> frozenset[str]:
    """Which of these a sink could not store. Raises Unreachable, ClickHouseError."""
    found: set[str] = set()
    for some in _batches(event_ids):
        rows = await _ask(client, "dead_letters", {"app": app, "event_ids": some})
        found |= {str(event_id) for (event_id,) in rows}
    return frozenset(found)


async def _ask(
    client: AsyncClient, name: str, parameters: dict[str, Any]
) -> Sequence[Sequence[Any]]:
    """The rows of `sql/name.sql`."""
    sql = (files("loadtest") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            answer = await client.query(sql, parameters=parameters)
    except TimeoutError:
        raise Unreachable(f"no answer within {QUERY_SECONDS:g} s") from None
    return answer.result_rows


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, NAMES_PER_QUERY)):
        yield batch
