"""ClickHouse over HTTP: connect, apply the schema, run a named query. The public face of sinks.

clickhouse-connect's async client is the only way to ClickHouse; every call has a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from sinks.clickhouse.named_query import NamedQuery, Param, QueryError, load, names
from sinks.clickhouse.schema_files import SchemaError, migrations, statements

__all__ = [
    "Answer",
    "AsyncClient",
    "ClickHouseError",
    "NamedQuery",
    "Param",
    "QueryError",
    "SchemaError",
    "Server",
    "Unreachable",
    "apply_schema",
    "connect",
    "load",
    "names",
    "run_query",
]

DEFAULT_DAYS = 30

_LEDGER = """CREATE TABLE IF NOT EXISTS telemetry.schema_migrations
(name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree ORDER BY name"""


class Unreachable(Exception):
    """ClickHouse does not answer at this address, or not to this user."""


class Server(Struct, frozen=True, kw_only=True):
    """Where ClickHouse is and who asks."""

    url: str
    user: str
    password: str
    timeout_seconds: int = 60


class Answer(Struct, frozen=True):
    """The result of a named query."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]

    def as_objects(self) -> list[dict[str, object]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


async def connect(server: Server) -> AsyncClient:
    """A client of `server`; close it after use. Raises Unreachable."""
    parts = urlsplit(server.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable(f"{server.url!r} is no ClickHouse URL like http://127.0.0.1:8123")
    try:
        return await clickhouse_connect.get_async_client(
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            secure=parts.scheme == "https",
            username=server.user,
            password=server.password,
            connect_timeout=10,
            send_receive_timeout=server.timeout_seconds,
            query_limit=0,
        )
    except (ClickHouseError, OSError) as error:
        raise Unreachable(f"ClickHouse at {parts.scheme}://{parts.netloc}: {error}") from None


async def apply_schema(client: AsyncClient) -> list[str]:
    """Apply the numbered schema files once each, in order; the names of those applied now.

    Two at once do no harm: every statement is idempotent. Raises SchemaError when a file that
    was applied has changed since, when the database is newer than this version, or when a
    statement fails.
    """
    await client.command("CREATE DATABASE IF NOT EXISTS telemetry")
    await client.command(_LEDGER)
    found = await client.query("SELECT name, sha256 FROM telemetry.schema_migrations FINAL")
    applied = {str(name): str(digest) for name, digest in found.result_rows}
    files = migrations()
    unknown = applied.keys() - {one.name for one in files}
    if unknown:
        raise SchemaError(f"the database has {min(unknown)}, which this version does not know")
    done: list[str] = []
    for one in files:
        if one.name in applied:
            if applied[one.name] != one.sha256:
                raise SchemaError(f"{one.name} was changed after it had been applied")
            continue
        for number, statement in enumerate(statements(one.sql), start=1):
            try:
                await client.command(statement)
            except ClickHouseError as error:
                raise SchemaError(f"{one.name}, statement {number}: {error}") from None
        await client.insert(
            "telemetry.schema_migrations",
            [[one.name, one.sha256]],
            column_names=["name", "sha256"],
        )
        done.append(one.name)
    return done


async def run_query(
    client: AsyncClient, name: str, params: Mapping[str, str], today: date
) -> Answer:
    """Run the named query. `from` and `to` default to the 30 days up to `today` (UTC).

    Raises QueryError naming the query or parameter that is wrong.
    """
    query = load(name)
    defaults = {"from": str(today - timedelta(days=DEFAULT_DAYS)), "to": str(today)}
    values = query.check(params, defaults)
    result = await client.query(query.sql, parameters=values)
    return Answer(tuple(result.column_names), [tuple(row) for row in result.result_rows])
