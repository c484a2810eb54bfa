"""What somebody who means harm tries on the console: proxies, paths, methods, frames, cookies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.clickhouse.sql import Answer
from sinks.console.app import harmless
from sinks.console.serve import MAX_CONNECTIONS
from sinks.console.tokens import TokenStore
from tests.clickhouse import ClickHouseUnderTest
from tests.console.asking import Tokens, client_of
from tests.console.process import ConsoleUnderTest
from tests.kafka import wait_until
from tests.raw_http import ask, connect, read_all, status_of

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LIVEZ_CLOSE = LIVEZ[:-2] + b"Connection: close\r\n\r\n"


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


@pytest.mark.parametrize("path", ["/login/", "/livez/", "/system/", "/nowhere/"])
def test_no_answer_leads_to_the_host_that_a_request_names(nobody: TestClient, path: str) -> None:
    answer = nobody.get(path, headers={"Host": "elsewhere.example", "Accept": "text/html"})

    assert "elsewhere" not in answer.headers.get("Location", "")


@pytest.fixture
def console(engine: ClickHouseUnderTest, tmp_path: Path) -> Iterator[ConsoleUnderTest]:
    under_test = ConsoleUnderTest(engine, tmp_path)
    under_test.start()
    yield under_test
    assert under_test.stop() == 0


class TestHeads:
    def test_hundreds_that_say_nothing_do_not_shut_it(self, console: ConsoleUnderTest) -> None:
        """More than it takes at once; each is gone after its time."""
        slow = [connect(port_of(console)) for _ in range(MAX_CONNECTIONS + 20)]
        for number, one in enumerate(slow):
            one.sendall(b"GET / HTTP/1.1\r\nX: "[: number % 20])

        def is_served() -> bool:
            return status_of(ask(port_of(console), LIVEZ_CLOSE)) == 200

        wait_until(is_served, 30, "an answer")
        for one in slow:
            one.close()

    def test_one_that_stops_in_its_second_head_is_closed(self, console: ConsoleUnderTest) -> None:
        with connect(port_of(console)) as client:
            client.sendall(LIVEZ)
            read_answer(client)
            client.sendall(LIVEZ[:9])

            assert read_all(client) == b""

    def test_a_head_without_an_end_is_cut(self, console: ConsoleUnderTest) -> None:
        endless = b"GET /livez HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 5_000_000

        assert ask(port_of(console), endless + b"\r\nConnection: close\r\n\r\n") == b""

    def test_a_connection_is_kept_between_good_requests(self, console: ConsoleUnderTest) -> None:
        with connect(port_of(console)) as client:
            for _ in range(3):
                client.sendall(LIVEZ)
                assert status_of(read_answer(client)) == 200


def read_answer(client: socket.socket) -> bytes:
    """One answer of /livez, which may come in pieces."""
    found = b""
    while not found.endswith(b"live\n"):
        piece = client.recv(65536)
        assert piece, "the connection was closed"
        found += piece
    return found


def port_of(console: ConsoleUnderTest) -> int:
    return int(console.url.rpartition(":")[2])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    answer = Answer(("a",), [(f"{start}cmd|' /C calc'!A0",)])

    assert harmless(answer).rows == [(f"'{start}cmd|' /C calc'!A0",)]
