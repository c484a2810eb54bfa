"""Asks ClickHouse named queries: so many at once, so many rows, each within a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import date

from sinks.clickhouse import sql
from sinks.clickhouse.sql import Answer, AsyncClient, Server

log = logging.getLogger(__name__)

# By ClickHouse's code; without one it is the network.
REASONS = {
    None: "ClickHouse cannot be reached now.",
    158: "This reads more rows than ClickHouse allows. Ask for fewer days.",
    159: "This takes longer than ClickHouse allows. Ask for fewer days.",
    241: "This takes more memory than ClickHouse allows. Ask for fewer days.",
    396: "This answers more rows than ClickHouse allows. Ask for fewer days.",
}


class Unanswered(Exception):
    """There is no answer. The text tells people why."""


class Asker:
    """One client, made at the first question that finds ClickHouse there."""

    def __init__(self, server: Server, *, max_queries: int, query_seconds: float) -> None:
        self._server = server
        self._seconds = query_seconds
        self._turn = asyncio.Semaphore(max_queries)
        self._dialling = asyncio.Lock()
        self._client: AsyncClient | None = None

    async def ask(self, name: str, params: Mapping[str, str], today: date, rows: int) -> Answer:
        """The first `rows` rows. Raises Unanswered, and QueryError for a bad value."""
        try:
            async with asyncio.timeout(self._seconds):  # the wait for a turn is part of it
                async with self._turn:
                    client = await self._connected()
                    return await sql.run_query(client, name, params, today, max_rows=rows)
        except TimeoutError:
            raise Unanswered(
                f"There was no answer within {self._seconds:g} s. Ask for fewer days."
            ) from None
        except (sql.Unreachable, sql.ClickHouseError) as error:
            # Its text may hold what a phone sent; its code tells an operator enough.
            code = getattr(error, "code", None)
            log.warning("query_failed query=%s code=%s", name, code)
            text = REASONS.get(code, f"ClickHouse refused this query with its code {code}.")
            raise Unanswered(text) from None

    async def _connected(self) -> AsyncClient:
        async with self._dialling:
            if self._client is None:
                self._client = await sql.connect(self._server)
            return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
