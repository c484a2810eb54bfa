"""Named queries as analysts ask them; answers as JSON shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.histories import Happened
from tests.model import NO_FILTER, Filter

TODAY = datetime.now(UTC).date()
NAMED = {"first": "from", "last": "to"}  # `from` is a word of Python
STEPS, STEPS_SECONDS = ("session_start", "screen", "app_crash"), 1800
RELEASE, AGAINST = "1.1", "1.0"


async def ask(reader: AsyncClient, name: str, **params: object) -> list[tuple[object, ...]]:
    """What the query answers; `first` and `last` are its period."""
    texts = {NAMED.get(key, key): str(value) for key, value in params.items()}
    answer = await sql.run_query(reader, name, texts, TODAY)
    assert answer.columns == sql.load(name).columns
    return [tuple(plain(value) for value in row) for row in answer.rows]


async def ask_all(
    reader: AsyncClient,
    app_id: str,
    first: date,
    last: date,
    events: Sequence[Happened],
    filter_: Filter = NO_FILTER,
) -> dict[str, list[tuple[object, ...]]]:
    """The answer of every named query but `live_rate`, which asks for now: of one app and period,
    all its devices, and one of its events."""
    given: dict[str, object] = {"app": app_id, "first": first, "last": last, **filter_.params()}
    given |= {"steps": ",".join(STEPS), "seconds": STEPS_SECONDS, "against": AGAINST}
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in sql.names():
        wanted = {one.name for one in sql.load(name).params}
        params = {key: value for key, value in given.items() if NAMED.get(key, key) in wanted}
        if name == "release_compare":
            params["release"] = RELEASE
        if name == "device_timeline":
            for device in sorted({one.device_id for one in events if one.app_id == app_id}):
                found[f"{name} {device}"] = await ask(reader, name, device=device, **params)
        elif name == "event_by_id":
            one = next(one for one in events if one.app_id == app_id)
            found[name] = await ask(reader, name, event_id=one.event_id)
        elif "group" in {one.name for one in sql.load(name).params if one.default is None}:
            for group in (1, 2, 3):
                found[f"{name} {group}"] = await ask(reader, name, group=f"{group:016x}", **params)
        elif name != "live_rate":
            found[name] = await ask(reader, name, **params)
    return found
