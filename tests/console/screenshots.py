"""Pictures of the console's pages for the documentation: python -m tests.console.screenshots."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from sinks.console.pages import PAGES
from tests.clickhouse import ClickHouseUnderTest
from tests.console.browser import chromium_path
from tests.console.process import ConsoleUnderTest
from tests.console.seed import History, Row, group_text, make_history, store_history

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 200_000
WIDE, PHONE = (1200, 780), (390, 844)
PARAMS = {
    "/releases": "&release=2.4.0&against=2.4.1",
    "/funnel": "&steps=app_open,checkout,app_close",
    "/crash": f"&group={group_text(0)}",
    "/device": "&device=device-0001",
}


def main() -> int:
    """Start an engine and a console, look at every page, and write what was seen."""
    path = chromium_path()
    if path is None:
        print("Chromium is needed", file=sys.stderr)  # noqa: T201  # a command
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        clickhouse = ClickHouseUnderTest(Path(folder) / "clickhouse")
        clickhouse.start()
        clickhouse.migrate()
        now = datetime.now(UTC)
        history = make_history("shop", 1, 400, now)
        store_history(clickhouse.server(), history, _just_now(history, now))
        console = ConsoleUnderTest(clickhouse, Path(folder) / "console")
        console.start()
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
                _take_all(browser, console.url, history)
                browser.close()
        finally:
            console.stop()
            clickhouse.stop()
    return 0


def _just_now(history: History, now: datetime) -> History:
    """Events of the last ten minutes, so that what is live has something to show."""
    events: list[Row] = []
    for number, one in enumerate(history.events[-1500:]):
        at = now - timedelta(seconds=600 * (1 - ((number * 7) % 1500) / 1500) + number % 11)
        stored = at + timedelta(seconds=0.6 + (number * 13 % 90) / 100)
        times = dict.fromkeys(("ts", "occurred_at", "sent_at", "received_at"), _text(at))
        new = {
            "inserted_at": _text(stored),
            "event_id": f"{number:08x}-0000-4000-8000-000000000000",
        }
        events.append({**one, **times, **new})
    return History(history.app, events, [])


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _take_all(browser: Browser, url: str, history: History) -> None:
    event = f"&event_id={history.crashes()[-1]['event_id']}"
    for page in PAGES:
        params = event if page.path == "/event" else PARAMS.get(page.path, "")
        _take(browser, f"{url}{page.path}?app=shop{params}", page.id, WIDE, "light")
    for name, size in (("overview-dark", WIDE), ("overview-phone", PHONE)):
        scheme = "dark" if "dark" in name else "light"
        _take(browser, f"{url}/?app=shop", name, size, scheme)


def _take(browser: Browser, url: str, name: str, size: tuple[int, int], scheme: str) -> None:
    width, height = size
    with browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    ) as context:
        page = context.new_page()
        page.goto(url)
        for chart in page.locator("[data-chart]").all():
            chart.locator("svg.main-svg").first.wait_for()
        file = FOLDER / f"console-{name}.png"
        page.screenshot(path=file)
    taken = file.stat().st_size
    print(f"{file.name}  {taken:,} bytes")  # noqa: T201
    assert taken < MAX_BYTES, f"{file.name} has {taken} bytes, more than {MAX_BYTES}"


if __name__ == "__main__":
    sys.exit(main())
