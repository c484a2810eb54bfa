"""The console in this process, over the engine, as clients of its HTTP interface meet it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from starlette.testclient import TestClient

from sinks.clickhouse.sql import Server
from sinks.console.app import create_app
from sinks.console.ask import Asker
from sinks.console.config import ConsoleConfig
from sinks.console.tokens import ALL_APPS, TokenStore
from tests.clickhouse import ClickHouseUnderTest

NOW = "2026-11-24T00:00:00Z"


class Tokens:
    """A token file with an operator's token and one of each app."""

    def __init__(self, folder: Path, *apps: str) -> None:
        self.store = TokenStore(folder / "tokens.json")
        self.operator = self.store.add(ALL_APPS, NOW)
        self.of = {app: self.store.add(app, NOW) for app in apps}


@contextmanager
def client_of(
    engine: ClickHouseUnderTest | Server, tokens: TokenStore, token: str = "", **options: object
) -> Iterator[TestClient]:
    """A client that shows `token`; it does not follow redirections."""
    server = engine if isinstance(engine, Server) else reader_of(engine)
    config = ConsoleConfig(**options)  # type: ignore[arg-type]  # options of a test
    asker = Asker(server, max_queries=4, query_seconds=config.query_seconds)
    app = create_app(config, asker, tokens, lambda: datetime.now(UTC).date(), asyncio.Event())
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with TestClient(
        app, base_url="http://127.0.0.1:8090", headers=headers, follow_redirects=False
    ) as client:
        yield client


def reader_of(engine: ClickHouseUnderTest) -> Server:
    return Server(url=engine.url, user=engine.reader, password=engine.reader_password)
