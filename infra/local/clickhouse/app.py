"""The HTTP interface: a request's body is complete before the engine hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local.clickhouse import access
from infra.local.clickhouse.access import Role, Users
from infra.local.clickhouse.engine import Engine, Result
from infra.local.clickhouse.errors import (
    TIMEOUT_EXCEEDED,
    TOO_LARGE,
    TOO_MANY_QUERIES,
    ClickHouseError,
    refuse,
)
from infra.local.clickhouse.inflate import inflate
from infra.local.clickhouse.query import Query, build, parse_url
from infra.local.clickhouse.sessions import Sessions
from infra.local.clickhouse.statements import as_insert

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = {"writer": 512 * 1024 * 1024, "reader": 1024 * 1024}
MAX_WAITING = 256  # requests in work and in line, of all pools
BODY_SECONDS = 60.0
THREADS = 4  # per pool: readers cannot starve inserts, nor endless queries either of them


class Gone(Exception):
    """The client left before its body was complete: nothing is done."""


class ClickHouseFront:
    """The ASGI application."""

    def __init__(self, engine: Engine, users: Users) -> None:
        self._engine = engine
        self._users = users
        self._sessions = Sessions()
        self._waiting = 0
        self._pools = {
            name: ThreadPoolExecutor(THREADS, thread_name_prefix=name)
            for name in ("reader", "writer", "insert")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        query_id = ""
        try:
            url = parse_url(scope["query_string"].decode("latin-1"))
            query_id = url.get("query_id", "")
            access.check_browser(headers)
            if scope["path"] in ("/ping", "/replicas_status") or _is_hello(scope):
                await _respond(send, 200, b"Ok.\n", [])
                return
            role = access.authenticate(headers, url, self._users)
            body = await self._body(receive, headers, role)
            query = build(scope["method"], headers, url, body)
            query_id = query.query_id
            result = await self._run(query, role, receive)
        except ClickHouseError as error:
            extra = [("x-clickhouse-exception-code", str(error.code))]
            answer = error.body(self._engine.version)
            await _respond(send, error.status, answer, [*extra, *_common(query_id)])
        except Gone:
            return
        else:
            await _respond(send, 200, result.body, [*_result(result), *_common(query_id)])

    async def _body(self, receive: Receive, headers: dict[str, str], role: Role) -> bytes:
        limit = MAX_BODY_BYTES[role]
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            text = f"The body did not arrive within {BODY_SECONDS:g} s"
            raise refuse(TIMEOUT_EXCEEDED, text) from None
        return inflate(body, headers.get("content-encoding", ""), limit)

    async def _run(self, query: Query, role: Role, receive: Receive) -> Result:
        if self._waiting >= MAX_WAITING:
            raise refuse(TOO_MANY_QUERIES, "Too many simultaneous queries")
        is_insert = as_insert(query.text) is not None
        pool = self._pools["insert" if is_insert and role == "writer" else role]
        self._waiting += 1
        try:
            with self._sessions.enter(query.session_id) as session:
                loop = asyncio.get_running_loop()
                work = loop.run_in_executor(pool, self._engine.run, query, role, session)
                result = await (work if is_insert else self._watched(work, query, receive))
                if query.session_id and result.session_statement:
                    session.append(result.session_statement)
                return result
        finally:
            self._waiting -= 1

    async def _watched(
        self, work: asyncio.Future[Result], query: Query, receive: Receive
    ) -> Result:
        """A query that nobody waits for any more is stopped; an insert runs on."""
        leaving = asyncio.ensure_future(_left(receive))
        try:
            either: set[asyncio.Future[Any]] = {work, leaving}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._pools["insert"], self._engine.kill, query.tag)
            return await work
        finally:
            leaving.cancel()

    def close(self) -> None:
        """Let running statements end, then close the engine."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._engine.close()


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Gone
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise refuse(TOO_LARGE, f"The body has more than {limit} bytes")
        chunks.append(chunk)
        if not event.get("more_body"):
            return b"".join(chunks)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_hello(scope: Scope) -> bool:
    return scope["path"] == "/" and scope["method"] == "GET" and not scope["query_string"]


def _common(query_id: str) -> list[tuple[str, str]]:
    printable = "".join(one for one in query_id if one.isprintable())  # no line end of a header
    return [("x-clickhouse-query-id", printable), ("x-clickhouse-server-display-name", "local")]


def _result(result: Result) -> list[tuple[str, str]]:
    headers = [
        ("x-clickhouse-summary", json.dumps(result.summary)),
        ("x-clickhouse-timezone", "UTC"),
        ("content-type", _content_type(result.format)),
    ]
    if result.format is not None:
        headers.append(("x-clickhouse-format", result.format))
    return headers


def _content_type(name: str | None) -> str:
    if name is None or name.startswith(("TSV", "Tab", "Pretty")):
        return "text/tab-separated-values; charset=UTF-8"
    if name.startswith("JSON"):
        return "application/json; charset=UTF-8"
    if name.startswith("CSV"):
        return "text/csv; charset=UTF-8; header=absent"
    return "application/octet-stream"


async def _respond(send: Send, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
    encoded = [
        (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers
    ]
    encoded.append((b"content-length", str(len(body)).encode("ascii")))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
