"""Who may see what: tokens, the login, apps apart, and what a browser is forbidden."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.clickhouse.sql import load
from sinks.console.pages import PAGES, QUERIES
from sinks.console.tokens import TokenStore
from tests.clickhouse import ClickHouseUnderTest
from tests.console.asking import Tokens, client_of
from tests.console.seed import History, group_text

HTML = {"Accept": "text/html"}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path, "shop", "other", "empty")


@pytest.fixture
def nobody(engine: ClickHouseUnderTest, tokens: Tokens) -> Iterator[TestClient]:
    with client_of(engine, tokens.store) as client:
        yield client


@pytest.fixture
def other(
    engine: ClickHouseUnderTest, tokens: Tokens, histories: dict[str, History]
) -> Iterator[TestClient]:
    """A reader of the app `other`."""
    with client_of(engine, tokens.store, tokens.of["other"]) as client:
        yield client


def urls() -> list[str]:
    live = [f"/stream/{one.id}" for one in PAGES if one.is_live]
    return [*[one.path for one in PAGES], *live, *[f"/csv/{name}" for name in sorted(QUERIES)]]


class TestWithoutAToken:
    @pytest.mark.parametrize("url", urls())
    def test_nothing_is_answered(self, nobody: TestClient, url: str) -> None:
        answer = nobody.get(url)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_browser_is_led_to_the_login_and_back(
        self, nobody: TestClient, tokens: Tokens, shop: History
    ) -> None:
        asked = nobody.get("/releases?app=shop&release=2.4.0", headers=HTML)
        form = nobody.get(asked.headers["Location"])
        done = nobody.post(
            "/login", data={"token": tokens.of["shop"], "next": "/releases?app=shop&release=2.4.0"}
        )
        page = nobody.get(done.headers["Location"], headers=HTML)

        assert asked.status_code == done.status_code == 303
        assert 'value="/releases?app=shop&amp;release=2.4.0"' in form.text
        cookie = done.headers["Set-Cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/"))
        assert (page.status_code, "2.4.0" in page.text) == (200, True)

    @pytest.mark.parametrize("token", ["", "wrong", "x" * 10_000, "\udcff", "' OR ''='"])
    def test_a_wrong_token_gets_no_cookie(self, nobody: TestClient, token: str) -> None:
        body = f"token={token}".encode("utf-8", "surrogateescape")

        answer = nobody.post("/login", content=body)

        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers

    def test_a_form_of_another_origin_signs_nobody_in(
        self, nobody: TestClient, tokens: Tokens
    ) -> None:
        answer = nobody.post(
            "/login",
            data={"token": tokens.operator},
            headers={"Origin": "http://elsewhere.example"},
        )

        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "where",
        ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "/\n/x"],
    )
    def test_the_login_leads_nowhere_else(
        self, nobody: TestClient, tokens: Tokens, where: str
    ) -> None:
        answer = nobody.post("/login", data={"token": tokens.operator, "next": where})

        assert answer.headers["Location"] == "/"

    def test_signing_out_takes_the_cookie(self, nobody: TestClient, tokens: Tokens) -> None:
        nobody.post("/login", data={"token": tokens.operator})

        nobody.post("/logout")

        assert nobody.get("/system").status_code == 401

    def test_a_revoked_token_is_refused_at_once(
        self, engine: ClickHouseUnderTest, tokens: Tokens
    ) -> None:
        with client_of(engine, tokens.store, tokens.of["empty"]) as client:
            before = client.get("/system").status_code
            TokenStore(tokens.store.path).revoke(tokens.of["empty"])

            assert (before, client.get("/system").status_code) == (200, 401)

    def test_a_file_that_broke_keeps_who_was_known_and_lets_nobody_else_in(
        self, engine: ClickHouseUnderTest, tokens: Tokens
    ) -> None:
        with client_of(engine, tokens.store, tokens.operator) as client:
            before = client.get("/system").status_code
            tokens.store.path.write_text("{")

            assert (before, client.get("/system").status_code) == (200, 200)
            assert client.get("/system", headers={"Authorization": "Bearer x"}).status_code == 401

    def test_a_file_that_is_gone_does_not_open_the_door(
        self, engine: ClickHouseUnderTest, tokens: Tokens
    ) -> None:
        with client_of(engine, tokens.store) as client:
            client.get("/")
            tokens.store.path.unlink()

            assert client.get("/").status_code == 401


class TestAppsApart:
    @pytest.mark.parametrize("name", sorted(QUERIES))
    def test_no_query_gives_a_row_of_another_app(
        self, other: TestClient, shop: History, name: str
    ) -> None:
        """Whatever the URL says: the app in it, or the ids of the other app's things."""
        crash = shop.crashes()[0]
        params = {
            "device": str(crash["device_id"]),
            "event_id": str(crash["event_id"]),
            "group": group_text(0),
            "steps": "app_open,app_close",
            "release": "2.3.0",
            "against": "2.4.0",
        }
        known = {one.name for one in load(name).params}
        url = f"/csv/{name}"
        asked = {key: value for key, value in params.items() if key in known}

        own = other.get(url, params=asked)
        named = other.get(url, params={**asked, "app": "shop"})

        assert named.status_code == 403
        assert own.status_code == 200
        told = list(csv.DictReader(io.StringIO(own.text)))
        assert {row["app_id"] for row in told if "app_id" in row} <= {"other"}
        if {"device", "event_id"} & known:
            owned = {str(one["event_id"]) for one in shop.events if one["app_id"] == "shop"}
            assert not [row for row in told if row["event_id"] in owned]

    def test_every_query_can_be_held_to_an_app(self) -> None:
        assert all("app" in {one.name for one in load(name).params} for name in QUERIES)

    @pytest.mark.parametrize("url", [one for one in urls() if not one.startswith("/csv")])
    def test_no_page_and_no_stream_shows_another_app(self, other: TestClient, url: str) -> None:
        assert other.get(url, params={"app": "shop"}).status_code == 403

    def test_an_app_with_no_events_sees_none(
        self, engine: ClickHouseUnderTest, tokens: Tokens, histories: dict[str, History]
    ) -> None:
        with client_of(engine, tokens.store, tokens.of["empty"]) as client:
            page = client.get("/").text
            tail = client.get("/csv/tail").text

        assert "shop" not in page
        assert len(tail.splitlines()) == 1

    def test_only_an_operator_sees_the_processes(
        self, engine: ClickHouseUnderTest, tokens: Tokens, other: TestClient
    ) -> None:
        with client_of(engine, tokens.store, tokens.operator) as operator:
            assert "by its own metrics" in operator.get("/system").text

        assert "by its own metrics" not in other.get("/system").text

    def test_an_operator_chooses_among_all_apps(
        self, engine: ClickHouseUnderTest, tokens: Tokens, histories: dict[str, History]
    ) -> None:
        with client_of(engine, tokens.store, tokens.operator) as operator:
            page = operator.get("/account?app=other").text

        assert "<option>shop</option>" in page
        assert "<option selected>other</option>" in page


class TestWithoutTokens:
    def test_this_machine_is_served(self, engine: ClickHouseUnderTest, tmp_path: Path) -> None:
        with client_of(engine, TokenStore(tmp_path / "none.json")) as client:
            for host in ("127.0.0.1:8090", "localhost", "[::1]:8090"):
                assert client.get("/system", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "", "["])
    def test_a_foreign_name_is_not(
        self, engine: ClickHouseUnderTest, tmp_path: Path, host: str
    ) -> None:
        """A page elsewhere may let its own name lead to our address."""
        with client_of(engine, TokenStore(tmp_path / "none.json")) as client:
            assert client.get("/system", headers={"Host": host}).status_code == 403

    def test_the_first_token_closes_the_door(
        self, engine: ClickHouseUnderTest, tmp_path: Path
    ) -> None:
        store = TokenStore(tmp_path / "tokens.json")
        with client_of(engine, store) as client:
            before = client.get("/system").status_code
            TokenStore(store.path).add("shop", "2026-11-24T00:00:00Z")

            assert (before, client.get("/system").status_code) == (200, 401)


@pytest.mark.parametrize("url", ["/", "/login", "/nowhere", "/csv/tail", "/static/console.js"])
def test_every_answer_forbids_foreign_scripts(other: TestClient, url: str) -> None:
    headers = other.get(url).headers

    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("url", [one.path for one in PAGES])
def test_no_page_has_an_inline_script_or_style(other: TestClient, url: str) -> None:
    page = other.get(url).text

    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick" not in page
