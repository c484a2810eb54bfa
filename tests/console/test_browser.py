"""The console as a person sees it: headless Chromium on seeded data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

import pytest
from playwright.sync_api import Browser, expect

from sinks.console.pages import PAGES
from tests.clickhouse import ClickHouseUnderTest
from tests.console.browser import Watched, watch
from tests.console.process import ConsoleUnderTest
from tests.console.seed import History, Row, group_text, store_history

PARAMS = {
    "/releases": "&release=2.4.0&against=2.4.1",
    "/funnel": "&steps=app_open,checkout,app_close",
    "/crash": f"&group={group_text(0)}",
    "/device": "&device=device-0001",
}


@pytest.fixture
def watched(browser: Browser, console: ConsoleUnderTest) -> Iterator[Watched]:
    """A page that may not have complained, or asked anybody else, when the test is over."""
    with browser.new_context(viewport={"width": 1360, "height": 900}) as context:
        found = watch(context, console.url)
        found.page.set_default_timeout(15_000)
        yield found
        assert found.complaints == []
        assert found.foreign == []


def numbers(watched: Watched, panel: str, column: str) -> dict[str, str]:
    """A column of a panel's table by the first one."""
    table = watched.page.locator(f"#{panel} table")
    heads = [one.strip() for one in table.locator("thead th").all_text_contents()]
    rows = [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
    return {row[0].strip(): row[heads.index(column)].strip() for row in rows}


@pytest.mark.parametrize("path", [one.path for one in PAGES])
def test_every_page_draws_what_it_has(
    watched: Watched, console: ConsoleUnderTest, shop: History, path: str
) -> None:
    event_id = f"&event_id={shop.events[0]['event_id']}" if path == "/event" else ""

    watched.page.goto(f"{console.url}{path}?app=shop{PARAMS.get(path, '')}{event_id}")

    expect(watched.page.locator("h1")).to_be_visible()
    charts = watched.page.locator("[data-chart]")
    for number in range(charts.count()):
        expect(charts.nth(number).locator("svg.main-svg").first).to_be_visible()
    assert watched.page.locator(".panel .empty").all_text_contents() == (
        [
            "Set TELEMETRY_CONSOLE_GATEWAY_URL to the gateway's address to see its metrics here.",
            "Set TELEMETRY_CONSOLE_SINK_URL to the sink's address to see its metrics here.",
        ]
        if path == "/system"
        else ["No crash came back in this period."]
        if path in ("/releases", "/crash-groups")
        else []
    )


def test_numbers_are_those_of_the_events(
    watched: Watched, console: ConsoleUnderTest, shop: History
) -> None:
    watched.page.goto(f"{console.url}/?app=shop")

    devices = numbers(watched, "health", "devices")
    crashes = numbers(watched, "crash-groups", "crashes")
    assert devices == {
        release: f"{len(shop.devices(app_version=release)):,}"
        for release in sorted({str(one["app_version"]) for one in shop.events})
    }
    kinds = [str(one["crash_type"]) for one in shop.crashes()]
    assert crashes == {kind: f"{kinds.count(kind):,}" for kind in set(kinds)}


def test_from_a_crash_group_to_its_device_to_one_event(
    watched: Watched, console: ConsoleUnderTest, shop: History
) -> None:
    page = watched.page
    page.goto(f"{console.url}/crash-groups?app=shop")

    page.get_by_role("link", name=group_text(0)).first.click()
    expect(page.locator("h1")).to_have_text("Crash group")
    expect(page.locator("#latest .long").first).to_contain_text("com.example.Cart.open")
    device = page.locator("#devices tbody tr").first.locator("a").first
    name = device.inner_text()
    device.click()
    expect(page.locator("h1")).to_have_text("Device")
    shown = page.locator("#timeline tbody tr td:nth-child(2)").all_text_contents()
    page.locator("#timeline tbody tr").first.locator("a").last.click()

    expect(page.locator("h1")).to_have_text("Event")
    its_events = [one for one in shop.events if one["device_id"] == name]
    sequences = sorted(int(str(one["sequence"])) for one in its_events)
    assert [one.strip() for one in shown] == [str(one) for one in sequences]
    expect(page.locator("#event dd").first).to_have_text(str(its_events[0]["event_id"]))


def test_a_url_that_is_shared_shows_the_same_view(
    watched: Watched, browser: Browser, console: ConsoleUnderTest, shop: History
) -> None:
    page = watched.page
    page.goto(f"{console.url}/?app=shop")
    page.get_by_label("Platform").select_option("iOS")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**platform=iOS**")
    seen = numbers(watched, "health", "devices")

    with browser.new_context() as elsewhere:
        second = watch(elsewhere, console.url)
        second.page.goto(page.url)

        assert numbers(second, "health", "devices") == seen
        expect(second.page.get_by_label("Platform")).to_have_value("iOS")
    everybody = {release: len(shop.devices(app_version=release)) for release in seen}
    assert sum(int(one.replace(",", "")) for one in seen.values()) < sum(everybody.values())


def test_an_event_that_arrives_is_seen_without_a_reload(
    watched: Watched, console: ConsoleUnderTest, engine: ClickHouseUnderTest, shop: History
) -> None:
    page = watched.page
    page.goto(f"{console.url}/live?app=shop")
    expect(page.locator("#tail .live")).to_be_visible()
    event = _now(shop.events[-1], "tail-live-1")

    store_history(engine.server(), History("shop", [event], []))

    expect(page.locator("#tail tbody tr").first).to_contain_text("tail-live-1")


def test_a_pause_stands_still_until_it_goes_on(
    watched: Watched, console: ConsoleUnderTest, engine: ClickHouseUnderTest, shop: History
) -> None:
    page = watched.page
    page.goto(f"{console.url}/live?app=shop")
    expect(page.locator("#tail .live")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    event = _now(shop.events[-1], "tail-live-2")
    store_history(engine.server(), History("shop", [event], []))
    expect(page.locator("#tail .live")).to_be_hidden()
    assert "tail-live-2" not in page.locator("#tail").inner_text()
    page.get_by_role("button", name="Go on").click()

    expect(page.locator("#tail tbody tr").first).to_contain_text("tail-live-2")


def test_what_phones_send_is_text(watched: Watched, console: ConsoleUnderTest) -> None:
    """Seeded letters carry a script element."""
    watched.page.goto(f"{console.url}/dead-letters?app=shop")

    expect(watched.page.locator("#letters")).to_contain_text("<script>alert(1)</script>")


def test_the_switch_changes_colours_and_is_kept(
    watched: Watched, console: ConsoleUnderTest
) -> None:
    page = watched.page
    background = "getComputedStyle(document.body).backgroundColor"
    page.goto(f"{console.url}/?app=shop")
    light = page.evaluate(background)

    page.locator("#theme").click()
    page.locator("#theme").click()
    dark = page.evaluate(background)
    page.reload()

    assert dark != light
    assert page.evaluate(background) == dark
    expect(page.locator("#theme")).to_have_text("Dark")


def test_on_a_phone_nothing_sticks_out(browser: Browser, console: ConsoleUnderTest) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        watched = watch(context, console.url)
        wide = {}
        for one in PAGES:
            watched.page.goto(f"{console.url}{one.path}?app=shop{PARAMS.get(one.path, '')}")
            wide[one.path] = watched.page.evaluate("document.documentElement.scrollWidth")

    assert {path: width for path, width in wide.items() if width > 390} == {}


def test_keys_alone_reach_the_content_and_the_filters(
    watched: Watched, console: ConsoleUnderTest
) -> None:
    page = watched.page
    page.goto(f"{console.url}/?app=shop")

    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    where = page.url
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))

    assert first == "Skip to content"
    assert where.endswith("#content")
    assert {"device", "event_id", "SUMMARY", "A"} <= reached


def _now(like: Row, name: str) -> Row:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    times = dict.fromkeys(("ts", "occurred_at", "sent_at", "received_at", "inserted_at"), now)
    event_id = str(uuid5(NAMESPACE_URL, name))
    new = {"event_id": event_id, "event_type": "track", "event_name": name, "sequence": 0}
    return {**like, **times, **new}
