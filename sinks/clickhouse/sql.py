"""ClickHouse over HTTP: connect, apply the schema, run a named query. The public face of sinks.

clickhouse-connect's async client is the only way to ClickHouse; every call has a deadline.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from gateway.contract.pem import OTHER_NAMES, PemError, client_context
from sinks.clickhouse.named_query import NamedQuery, Param, QueryError, load, names
from sinks.clickhouse.schema_files import Migration, SchemaError, migrations, missing, statements

__all__ = [
    "Answer",
    "AsyncClient",
    "ClickHouseError",
    "Denied",
    "NamedQuery",
    "Param",
    "QueryError",
    "SchemaError",
    "Server",
    "Unreachable",
    "answered",
    "apply_schema",
    "connect",
    "load",
    "names",
    "run_query",
]

PREFIX = "TELEMETRY_CLICKHOUSE_"
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60.0  # for one statement of the schema, or one query

T = TypeVar("T")

_LEDGER = """CREATE TABLE IF NOT EXISTS telemetry.schema_migrations
(name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree ORDER BY name"""


class Unreachable(Exception):
    """ClickHouse does not answer at this address, or not to this user."""


class Denied(Unreachable):
    """ClickHouse is there and will not have us, or is not who it should be: an operator's work.
    The text names the option."""


class Server(Struct, frozen=True, kw_only=True):
    """Where ClickHouse is and who asks. `timeout_seconds` is the longest silence of an answer."""

    url: str
    user: str
    password: str
    ca_path: str = ""  # PEM of who may vouch for it; empty: the system's
    timeout_seconds: int = 60


class Answer(Struct, frozen=True):
    """The result of a named query."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]

    def as_objects(self) -> list[dict[str, object]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


async def connect(server: Server) -> AsyncClient:
    """A client of `server`; close it after use. Raises Unreachable, of it Denied."""
    host, port, secure = _address(server.url)
    if secure and server.ca_path:
        _check_ca(server.ca_path)
    try:
        return await answered(
            clickhouse_connect.get_async_client(
                host=host,
                port=port,
                secure=secure,
                username=server.user,
                password=server.password,
                ca_cert=server.ca_path or None,
                connect_timeout=CONNECT_SECONDS,
                send_receive_timeout=server.timeout_seconds,
                query_limit=0,
            )
        )
    except (ClickHouseError, Unreachable) as error:
        text = f"ClickHouse at {host}:{port}: {_one_line(error)}"
        if (option := _denied_by(error)) is not None:
            raise Denied(f"{PREFIX}{option}: {text}") from None
        raise Unreachable(text) from None


def _check_ca(path: str) -> None:
    try:
        client_context(path, "", "")
    except PemError as error:
        raise Denied(f"{PREFIX}CA_PATH: {error}") from None


def _denied_by(error: BaseException) -> str | None:
    """The option that an operator must mend."""
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, aiohttp.ClientConnectorCertificateError):
            one = one.certificate_error  # it is one of ssl's by its class, and has nothing of them
            continue
        if isinstance(one, ssl.SSLCertVerificationError):
            return "URL" if one.verify_code in OTHER_NAMES else "CA_PATH"
        one = one.__cause__ or one.__context__
    return "PASSWORD" if "(AUTHENTICATION_FAILED)" in str(error) else None


def _address(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it speaks TLS. Raises Unreachable."""
    wrong = Unreachable("this is no ClickHouse URL; one is http://127.0.0.1:8123")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong
    secure = parts.scheme == "https"
    return parts.hostname, port or (8443 if secure else 8123), secure


async def apply_schema(client: AsyncClient, files: Sequence[Migration] | None = None) -> list[str]:
    """Apply the numbered schema files once each, in order; the names of those applied now.

    Two at once do no harm: every statement is idempotent. `files` are the ones this package
    ships. Raises Unreachable, and SchemaError when a file that was applied has changed since,
    when one is missing before it, when the database is newer than this version, or when a
    statement fails.
    """
    files = migrations() if files is None else files
    try:
        await answered(client.command("CREATE DATABASE IF NOT EXISTS telemetry"))
        await answered(client.command(_LEDGER))
        applied = await _applied(client)
    except ClickHouseError as error:
        raise SchemaError(f"the ledger of the schema: {_one_line(error)}") from None
    waiting = missing(files, applied)
    for one in waiting:
        await _apply(client, one)
    return [one.name for one in waiting]


async def _applied(client: AsyncClient) -> dict[str, str]:
    """The SHA-256 of every file that was applied, by its name."""
    found = await answered(
        client.query("SELECT name, sha256 FROM telemetry.schema_migrations FINAL")
    )
    return {str(name): str(digest) for name, digest in found.result_rows}


async def _apply(client: AsyncClient, one: Migration) -> None:
    for number, statement in enumerate(statements(one.sql), start=1):
        try:
            await answered(client.command(statement))
        except ClickHouseError as error:
            raise SchemaError(f"{one.name}, statement {number}: {_one_line(error)}") from None
    record = "INSERT INTO telemetry.schema_migrations (name, sha256) VALUES"
    await answered(client.command(f"{record} ('{one.name}', '{one.sha256}')"))


async def run_query(
    client: AsyncClient,
    name: str,
    params: Mapping[str, str],
    today: date,
    *,
    max_rows: int | None = None,
) -> Answer:
    """Run the named query. `to` defaults to `today` (UTC), `from` to the 30 days up to `to`.

    Of the answer come the first `max_rows` rows; None: all.
    Raises QueryError naming the query or parameter that is wrong, Unreachable, ClickHouseError.
    """
    query = load(name)
    values = query.check(params, today)
    code = query.sql
    if max_rows is not None:
        code = f"SELECT * FROM\n(\n{code}\n)\nLIMIT {max_rows:d}"
    result = await answered(client.query(code, parameters=values))
    rows = [tuple(row) for row in result.result_rows]
    # An answer without rows comes without names too.
    return Answer(tuple(result.column_names) if rows else query.columns, rows)


async def answered(call: Awaitable[T]) -> T:
    """What `call` gives, within the deadline. Raises Unreachable, ClickHouseError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except TimeoutError:
        raise Unreachable(f"no answer within {ANSWER_SECONDS:g} s") from None
    except (OSError, aiohttp.ClientError) as error:
        raise Unreachable(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
