"""Mappings in ClickHouse: listed, read, added, removed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from sinks.clickhouse.sql import Answer, AsyncClient, answered, run_query
from sinks.retrace.files import MappingFile
from sinks.retrace.frames import Kind

COLUMNS = ("app_id", "app_version", "kind", "name", "sha256", "bytes", "content")

Ask = Callable[[str, Mapping[str, str]], Awaitable[Answer]]  # a named query and its parameters

WHOLE = {"input_format_parallel_parsing": 0}  # which bounds the size of a row

_TABLE = "telemetry.mappings"
_MINE = (
    "app_id = {app:String} AND app_version = {release:String}"
    " AND ({is_any:UInt8} = 1 OR name = {name:String})"
)


class Stored(Struct, frozen=True):
    """One mapping, without its content."""

    release: str
    kind: Kind
    name: str
    bytes: int
    sha256: str
    added_at: datetime

    @property
    def label(self) -> str:
        """What people call it."""
        what = "mapping" if self.kind == "proguard" else f"source map {self.name}"
        return f"the {what} of release {self.release}, added at {self.added_at:%Y-%m-%d %H:%M:%S}"


def asking(client: AsyncClient) -> Ask:
    """Named queries through `client`. They raise QueryError, Unreachable, ClickHouseError."""

    async def ask(name: str, params: Mapping[str, str]) -> Answer:
        return await run_query(client, name, params, datetime.now(UTC).date())

    return ask


async def listed(ask: Ask, app: str, release: str = "") -> list[Stored]:
    """Of the app, by release, or of one release."""
    answer = await ask("mappings", {"app": app, "release": release})
    return [Stored(*row) for row in answer.rows]  # type: ignore[arg-type]


async def content_of(ask: Ask, app: str, one: Stored) -> str:
    """Empty when it was removed meanwhile."""
    params = {"app": app, "release": one.release, "kind": one.kind, "name": one.name}
    answer = await ask("mapping_content", params)
    return str(answer.rows[0][0]) if answer.rows else ""


async def add(client: AsyncClient, app: str, release: str, file: MappingFile) -> bool:
    """False when it is there already. Raises Unreachable, ClickHouseError."""
    for one in await listed(asking(client), app, release):
        if (one.kind, one.name, one.sha256) == (file.kind, file.name, file.sha256):
            return False
    size = len(file.content.encode())
    row = (app, release, file.kind, file.name, file.sha256, size, file.content)
    body = json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False).encode()
    await answered(client.raw_insert(_TABLE, COLUMNS, body, settings=WHOLE, fmt="JSONEachRow"))
    return True


async def remove(client: AsyncClient, app: str, release: str, name: str | None) -> int:
    """How many went; `name` None: all of the release. Raises Unreachable, ClickHouseError."""
    params = {"app": app, "release": release, "is_any": int(name is None), "name": name or ""}
    count_them = f"SELECT uniqExact(kind, name) FROM {_TABLE} WHERE {_MINE}"  # noqa: S608
    found = await answered(client.query(count_them, parameters=params))
    count = int(found.result_rows[0][0])
    if count:
        delete = f"ALTER TABLE {_TABLE} DELETE WHERE {_MINE} SETTINGS mutations_sync = 2"
        await answered(client.command(delete, parameters=params))
    return count
