"""Named queries as analysts ask them; answers as JSON shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.histories import Happened

TODAY = datetime.now(UTC).date()


async def ask(reader: AsyncClient, name: str, **params: object) -> list[tuple[object, ...]]:
    """What the query answers; `first` and `last` are its period."""
    named = {"first": "from", "last": "to"}
    texts = {named.get(key, key): str(value) for key, value in params.items()}
    answer = await sql.run_query(reader, name, texts, TODAY)
    assert answer.columns == sql.load(name).columns
    return [tuple(plain(value) for value in row) for row in answer.rows]


async def ask_all(
    reader: AsyncClient, app_id: str, first: date, last: date, events: Sequence[Happened]
) -> dict[str, list[tuple[object, ...]]]:
    """The answer of every named query, for one app and period and all its devices and events."""
    period = {"app": app_id, "first": first, "last": last}
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in sql.names():
        if name == "device_timeline":
            for device in sorted({one.device_id for one in events if one.app_id == app_id}):
                found[f"{name} {device}"] = await ask(reader, name, device=device, **period)
        elif name == "event_by_id":
            one = next(one for one in events if one.app_id == app_id)
            found[name] = await ask(reader, name, event_id=one.event_id)
        elif "group" in {one.name for one in sql.load(name).params if one.default is None}:
            for group in (1, 2, 3):
                found[f"{name} {group}"] = await ask(reader, name, group=f"{group:016x}", **period)
        else:
            found[name] = await ask(reader, name, **period)
    return found
