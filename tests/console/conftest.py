"""One ClickHouse engine with two apps in it, the console over it, and a browser to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.clickhouse import ClickHouseUnderTest
from tests.console.browser import launch
from tests.console.process import ConsoleUnderTest
from tests.console.seed import History, aside, make_history, store_history


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    """An engine of its own: the first app of the list is then one that is known."""
    front = ClickHouseUnderTest(tmp_path_factory.mktemp("console-clickhouse"))
    front.start()
    aside(front.migrate)
    yield front
    assert front.stop() == 0


@pytest.fixture(scope="package")
def histories(engine: ClickHouseUnderTest) -> dict[str, History]:
    now = datetime.now(UTC)
    found = {
        "shop": make_history("shop", 1, 120, now),
        "other": make_history("other", 2, 10, now),
    }

    store_history(engine.server(), *found.values())
    return found


@pytest.fixture(scope="package")
def shop(histories: dict[str, History]) -> History:
    return histories["shop"]


@pytest.fixture(scope="package")
def console(
    engine: ClickHouseUnderTest,
    histories: dict[str, History],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ConsoleUnderTest]:
    """Without tokens."""
    under_test = ConsoleUnderTest(engine, tmp_path_factory.mktemp("console"))
    under_test.start()
    yield under_test
    assert under_test.stop() == 0


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = launch(driver)
        yield opened
        opened.close()
