"""The stack of a crash on the console's pages, once its release has a mapping."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.clickhouse.sql import AsyncClient, connect
from sinks.retrace.files import MappingFile
from sinks.retrace.store import add
from tests.clickhouse import ClickHouseUnderTest
from tests.console.asking import Tokens, client_of
from tests.console.seed import aside
from tests.histories import day, event, new_app
from tests.stored import StoredChunk, store

R8 = "com.example.Cart -> a.b:\n    1:3:void open(int):10:12 -> a\n"
CAME = "a.b: <no cart>\n\tat a.b.a(SourceFile:2)"
READ = "com.example.Cart: <no cart>\n\tat com.example.Cart.open(Unknown Source:11)"
GROUP = 0xABC


class Shop:
    """An app with one crash, of release 1.0."""

    def __init__(self, engine: ClickHouseUnderTest) -> None:
        self.app, self.event_id = new_app(), str(uuid4())
        self._engine = engine

        async def crash(writer: AsyncClient) -> None:
            happened = event(
                self.app,
                event_id=self.event_id,
                event_type="app_crash",
                app_version="1.0",
                crash_stack=CAME,
                crash_group=GROUP,
                session_id=uuid4(),
            )
            await store(writer, StoredChunk(events=[happened]))

        self._write(crash)

    def add(self, release: str, content: str) -> None:
        file = MappingFile("proguard", "", content)
        self._write(lambda writer: add(writer, self.app, release, file))

    def _write(self, work: Callable[[AsyncClient], Awaitable[object]]) -> None:
        async def main() -> None:
            client = await connect(self._engine.server())
            try:
                await work(client)
            finally:
                await client.close()

        aside(lambda: asyncio.run(main()))

    def pages(self, tokens: Tokens, **options: object) -> list[str]:
        """Of the event and of its group, as a reader of the app sees them."""
        period = f"from={day(10)}&to={day(10)}"
        urls = (f"/event?event_id={self.event_id}", f"/crash?group={GROUP:016x}&{period}")
        with client_of(self._engine, tokens.store, tokens.of[self.app], **options) as client:
            return [html.unescape(client.get(url).text) for url in urls]


@pytest.fixture
def shop(engine: ClickHouseUnderTest) -> Shop:
    return Shop(engine)


@pytest.fixture
def tokens(shop: Shop, tmp_path: Path) -> Tokens:
    return Tokens(tmp_path, shop.app)


def test_a_crash_is_shown_as_its_source_has_it_and_as_it_came(shop: Shop, tokens: Tokens) -> None:
    shop.add("1.0", R8)

    for page in shop.pages(tokens):
        assert READ in page
        assert "Retraced by the mapping of release 1.0, added at 20" in page
        assert f'<summary>As it came</summary><pre tabindex="0">{CAME}</pre>' in page


def test_without_a_mapping_of_its_own_release_and_app_it_is_as_it_came(
    engine: ClickHouseUnderTest, shop: Shop, tokens: Tokens
) -> None:
    shop.add("1.1", R8)
    Shop(engine).add("1.0", R8)

    for page in shop.pages(tokens):
        assert f'<dd class="long">{CAME}</dd>' in page
        assert "etraced" not in page
        assert "As it came" not in page


def test_a_mapping_that_is_too_large_is_told_beside_the_stack(shop: Shop, tokens: Tokens) -> None:
    shop.add("1.0", R8)

    for page in shop.pages(tokens, mappings_bytes=10):
        assert f'<dd class="long">{CAME}</dd>' in page
        assert f"takes {len(R8)} bytes of memory; at most 10 are allowed" in page


def test_one_that_takes_too_long_does_not_hold_up_the_page(shop: Shop, tokens: Tokens) -> None:
    shop.add("1.0", R8)

    for page in shop.pages(tokens, retrace_seconds=1e-6):
        assert f'<dd class="long">{CAME}</dd>' in page
        assert "Not retraced: it takes more than 1e-06 s; try again in a while" in page
        assert page.rstrip().endswith("</html>")
