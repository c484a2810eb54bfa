"""What somebody who means harm tries on the console: proxies, paths, methods, frames, cookies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.clickhouse.sql import Answer
from sinks.console.app import harmless
from sinks.console.tokens import TokenStore
from tests.clickhouse import ClickHouseUnderTest
from tests.console.asking import Tokens, client_of


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path, "shop")


@pytest.fixture
def nobody(engine: ClickHouseUnderTest, tokens: Tokens) -> Iterator[TestClient]:
    with client_of(engine, tokens.store) as client:
        yield client


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"],
)
def test_without_tokens_what_a_proxy_brings_is_refused(
    engine: ClickHouseUnderTest, tmp_path: Path, header: str
) -> None:
    """A proxy on this machine asks under a loopback name, for anybody."""
    with client_of(engine, TokenStore(tmp_path / "none.json")) as client:
        assert client.get("/system").status_code == 200
        assert client.get("/system", headers={header: "192.0.2.1"}).status_code == 403


def test_with_tokens_a_proxy_is_welcome(engine: ClickHouseUnderTest, tokens: Tokens) -> None:
    with client_of(engine, tokens.store, tokens.operator) as client:
        assert client.get("/system", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../tokens.json",
        "/static/..%2f..%2faccess.py",
        "/static/%2e%2e/%2e%2e/access.py",
        "/static/..%5c..%5caccess.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/console.js%00.css",
        "/static/",
    ],
)
def test_no_file_but_the_static_ones_is_served(nobody: TestClient, path: str) -> None:
    answer = nobody.get(path)

    assert answer.status_code in (401, 404)
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/login/../csv/tail", "/loginx", "/livez/../csv/tail", "/static/../csv/tail", "//csv/tail"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_no_path_leads_round_the_door(nobody: TestClient, path: str, method: str) -> None:
    answer = nobody.request(method, path.replace("..", "%2e%2e"))

    assert answer.status_code in (401, 404, 405)
    assert "event_id" not in answer.text


def test_nobody_may_frame_it_or_learn_its_urls(nobody: TestClient) -> None:
    headers = nobody.get("/login").headers

    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


def test_behind_tls_the_cookie_is_sent_over_tls_alone(
    engine: ClickHouseUnderTest, tokens: Tokens
) -> None:
    with client_of(engine, tokens.store, secure_cookie=True) as client:
        done = client.post("/login", data={"token": tokens.operator})

    parts = {part.strip() for part in done.headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "Secure", "SameSite=lax"} <= parts


def test_a_token_in_a_url_is_none(nobody: TestClient, tokens: Tokens) -> None:
    """A URL is kept in histories and logs."""
    for name in ("token", "console_token", "access_token"):
        assert nobody.get(f"/csv/tail?{name}={tokens.operator}").status_code == 401
    assert nobody.get(f"/login?token={tokens.operator}").headers.get("Set-Cookie") is None


@pytest.mark.parametrize("origin", ["null", "https://127.0.0.1:8090.elsewhere.example", "garbage"])
def test_a_form_that_is_not_our_page_s_signs_nobody_in_or_out(
    nobody: TestClient, tokens: Tokens, origin: str
) -> None:
    foreign = {"Origin": origin}
    assert (
        nobody.post("/login", data={"token": tokens.operator}, headers=foreign).status_code == 401
    )
    nobody.post("/login", data={"token": tokens.operator})

    nobody.post("/logout", headers=foreign)

    assert nobody.get("/system").status_code == 200


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    answer = Answer(("a",), [(f"{start}cmd|' /C calc'!A0",)])

    assert harmless(answer).rows == [(f"'{start}cmd|' /C calc'!A0",)]
