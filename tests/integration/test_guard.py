"""The edge over raw sockets: what is no request, what is too large, what is too slow.

The gateway runs without Kafka: none of this needs it. uvicorn's own protocol, which the guard
replaces, is the control at the end.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from tests.builders import as_body, make_batch
from tests.kafka import wait_until
from tests.processes import KEY, GatewayProcess, Process, add_key
from tests.raw_http import (
    AMBIGUOUS_HEADS,
    BAD_CHUNKS,
    GOOD_HEAD,
    LIVEZ,
    ask,
    connect,
    read_all,
    sent_behind_an_answer,
    status_of,
)

NOBODY = "127.0.0.1:1"
HEAD_SECONDS = 1.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    add_key("demo", folder)
    process = GatewayProcess(
        NOBODY, folder, head_timeout_seconds=HEAD_SECONDS, body_timeout_seconds=1
    )
    yield process
    assert process.get("/livez")[0] == 200
    assert process.stop() == 0


def read_one(client: socket.socket) -> bytes:
    """One answer of /livez, which may come in pieces."""
    found = b""
    while b'{"live":true}' not in found:
        piece = client.recv(65536)
        assert piece, "the connection was closed"
        found += piece
    return found


class TestSmuggling:
    @pytest.mark.parametrize("head", AMBIGUOUS_HEADS)
    def test_a_request_of_two_meanings_is_refused_and_nothing_behind_it_runs(
        self, gateway: GatewayProcess, head: str
    ) -> None:
        smuggled = b"0\r\n\r\n" + LIVEZ
        answer = ask(
            gateway.port, b"POST /v1/events HTTP/1.1\r\n" + head.encode() + b"\r\n" + smuggled
        )

        assert status_of(answer) == 400
        assert b'{"live":true}' not in answer

    @pytest.mark.parametrize("chunk", BAD_CHUNKS)
    def test_a_chunk_whose_size_is_no_number(self, gateway: GatewayProcess, chunk: bytes) -> None:
        head = GOOD_HEAD.encode() + b"Content-Type: application/json\r\n"
        answer = ask(gateway.port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + LIVEZ)

        assert b'{"live":true}' not in answer
        assert status_of(answer) in (0, 400)

    @pytest.mark.parametrize(
        "request_",
        [
            b"\x16\x03\x01\x02\x00",
            b"hello\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\0" * 99,
            b"GET /livez\r\nHost: h\r\n\r\n",
            b"GET /livez HTTP/2.0\r\nHost: h\r\n\r\n",
        ],
    )
    def test_what_is_not_http(self, gateway: GatewayProcess, request_: bytes) -> None:
        assert status_of(ask(gateway.port, request_)) == 400

    def test_an_upgrade_is_ignored_and_ends_the_connection(self, gateway: GatewayProcess) -> None:
        upgrade = LIVEZ[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

        assert ask(gateway.port, upgrade + LIVEZ).count(b'{"live":true}') == 1


class TestHeads:
    def test_a_head_of_20_megabytes_is_refused_early(self, gateway: GatewayProcess) -> None:
        before = psutil.Process(gateway.pid).memory_info().rss
        answer = ask(gateway.port, b"GET /livez HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 20_000_000)

        assert status_of(answer) == 431
        assert psutil.Process(gateway.pid).memory_info().rss - before < 8_000_000

    @pytest.mark.parametrize("size", [33_000, 200_000])
    def test_a_complete_head_beyond_the_limit(self, gateway: GatewayProcess, size: int) -> None:
        request_ = b"GET /livez HTTP/1.1\r\nHost: h\r\nX: " + b"a" * size + b"\r\n\r\n"

        assert status_of(ask(gateway.port, request_)) == 431

    def test_too_many_headers(self, gateway: GatewayProcess) -> None:
        many = b"".join(b"x-%d: 1\r\n" % number for number in range(100))

        assert status_of(ask(gateway.port, LIVEZ[:-2] + many + b"\r\n")) == 431

    def test_a_long_url_counts(self, gateway: GatewayProcess) -> None:
        request_ = b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"

        assert status_of(ask(gateway.port, request_)) == 431

    def test_heads_within_the_limits_pass_however_they_are_cut(
        self, gateway: GatewayProcess
    ) -> None:
        wide = LIVEZ[:-2] + b"X: " + b"a" * 30_000 + b"\r\nConnection: close\r\n\r\n"
        with connect(gateway.port) as client:
            for start in range(0, len(wide), 7_001):
                client.sendall(wide[start : start + 7_001])
            assert status_of(read_all(client)) == 200


class TestHostileHeads:
    @pytest.mark.parametrize(
        "sent",
        [b"a b", b"a\tb", b"\xc3\xa9", b"x" * 65, b"", b"a\x85Set-Cookie: b", b"\xe2\x80\xa8"],
    )
    def test_a_request_id_that_cannot_be_shown_is_not_repeated(
        self, gateway: GatewayProcess, sent: bytes
    ) -> None:
        head = f"{GOOD_HEAD}Connection: close\r\nContent-Length: 0\r\n".encode()
        answer = ask(gateway.port, head + b"X-Request-Id: " + sent + b"\r\n\r\n")

        (told,) = re.findall(rb"x-request-id: (.*)\r\n", answer)
        assert re.fullmatch(rb"[0-9a-f]{32}", told)

    @pytest.mark.parametrize(
        "target",
        [
            b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/%00", b"/%ff", b"/x%0d%0aX: y",
            b"*", b"http://elsewhere.example/latest/meta-data", b"//elsewhere.example/",
            b"/%2fv1/events", b"/livez/", b"http://elsewhere.example/livez/",
        ],
    )  # fmt: skip
    def test_a_strange_target_leads_nowhere(self, gateway: GatewayProcess, target: bytes) -> None:
        close = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        answer = ask(gateway.port, b"GET " + target + close)

        assert status_of(answer) in (400, 404)
        assert b"X: y" not in answer
        assert b"location:" not in answer

    def test_a_key_is_needed_whatever_the_form_of_the_target(self, gateway: GatewayProcess) -> None:
        body = as_body(make_batch())
        head = f" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        for target in (b"/v1/events", b"/v1%2fevents", b"http://elsewhere.example/v1/events"):
            request = b"POST " + target + head.encode() + body
            assert status_of(ask(gateway.port, request)) == 401

    def test_nothing_that_is_sent_forges_a_line_of_the_log(self, gateway: GatewayProcess) -> None:
        forged = '{"level": "error", "event": "forged"}'
        for text in (f"\r\n{forged}", f"\u2028{forged}", "\x1b[31mred", KEY):
            event = {"event_id": text, "type": text, "timestamp": text, "properties": {text: text}}
            gateway.post({"sent_at": text, "events": [event]})
            gateway.post({"sent_at": text, "events": []}, {"X-Request-Id": quote(text)})
        ask(
            gateway.port,
            b"GET /" + quote(forged).encode() + b" HTTP/1.1\r\nHost: h\r\n\r\nx\r\n\r\n",
        )

        log = gateway.log_file.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in log.split("\n") if line]
        assert lines
        assert [one for one in lines if one["event"] == "forged"] == []
        assert [word for word in (KEY, "forged", "\x1b") if word in log] == []


class TestSlow:
    def test_silent_and_half_said_heads_are_closed(self, gateway: GatewayProcess) -> None:
        with connect(gateway.port) as silent, connect(gateway.port) as half:
            half.sendall(b"GET /livez HTTP/1.1\r\nHo")

            assert read_all(silent) == b""
            assert status_of(read_all(half)) == 408

    def test_a_body_that_does_not_come_is_408(self, gateway: GatewayProcess) -> None:
        head = GOOD_HEAD + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

        assert status_of(ask(gateway.port, head.encode())) == 408

    def test_hundreds_of_slow_sockets_do_not_stop_a_good_client(
        self, gateway: GatewayProcess
    ) -> None:
        slow = [connect(gateway.port) for _ in range(400)]
        for number, one in enumerate(slow):
            one.sendall(b"GET /livez HTTP/1.1\r\nX: "[: number % 24])

        assert gateway.get("/livez")[0] == 200
        process = psutil.Process(gateway.pid)
        wait_until(lambda: process.num_fds() < 100, 30, "the end of slow connections")
        for one in slow:
            one.close()

    def test_a_connection_that_waits_between_requests_is_kept(
        self, gateway: GatewayProcess
    ) -> None:
        with connect(gateway.port) as client:
            client.sendall(LIVEZ)
            read_one(client)
            quiet_until = time.monotonic() + 2.5 * HEAD_SECONDS
            wait_until(lambda: time.monotonic() > quiet_until)
            client.sendall(LIVEZ)

            assert status_of(read_one(client)) == 200


class TestEarlyAnswers:
    def test_a_body_behind_a_413_is_not_read_on(self, gateway: GatewayProcess) -> None:
        sent = sent_behind_an_answer(gateway.port, megabytes=100)

        assert sent < 20_000_000

    def test_a_client_that_is_sending_can_still_read_its_413(self, gateway: GatewayProcess) -> None:
        body = b"x" * 700_000
        head = GOOD_HEAD + "Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n"

        assert status_of(ask(gateway.port, head.encode() + body)) == 413

    def test_a_body_behind_a_401_may_be_short_but_not_endless(
        self, gateway: GatewayProcess
    ) -> None:
        head = "POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\n"
        with connect(gateway.port) as client:
            client.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + b"x" * 1000 + LIVEZ)
            answers = read_one(client)
        endless = f"{head}Content-Length: 99999999999\r\n\r\n".encode() + b"x" * 2_000_000

        assert status_of(answers) == 401
        assert status_of(ask(gateway.port, endless)) in (0, 401)

    def test_a_bomb_is_refused_and_the_connection_closed(self, gateway: GatewayProcess) -> None:
        bomb = gzip.compress(b"\0" * 50_000_000)
        head = GOOD_HEAD + "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"

        answer = ask(gateway.port, f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
        assert status_of(answer) == 413


class TestPipelining:
    def test_requests_in_one_packet_are_answered_in_their_order(
        self, gateway: GatewayProcess
    ) -> None:
        missing = b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
        last = LIVEZ[:-2] + b"Connection: close\r\n\r\n"

        answers = ask(gateway.port, LIVEZ + missing + last)

        statuses = [int(part.split(b" ")[0]) for part in answers.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [200, 404, 200]

    def test_100_continue_is_said_when_the_body_is_wanted(self, gateway: GatewayProcess) -> None:
        head = GOOD_HEAD + "Content-Type: application/json\r\nExpect: 100-continue\r\n"
        with connect(gateway.port) as client:
            client.sendall(f"{head}Content-Length: 2\r\n\r\n".encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
            client.sendall(b"{}")
            assert status_of(client.recv(65536)) == 400


def test_what_was_cut_is_counted_by_its_code(gateway: GatewayProcess) -> None:
    ask(gateway.port, b"hello\r\n\r\n")

    _, text = gateway.get("/metrics")
    assert 'telemetry_gateway_cut_connections_total{code="invalid_http"}' in text


def test_uvicorn_s_own_protocol_lets_these_pass(tmp_path: Path) -> None:
    control = Process(["tests.plain_uvicorn"], {}, "control", tmp_path / "control.log")
    try:
        port = int(control.wait_ready().rpartition(":")[2])
        close = b"Connection: close\r\n\r\n"
        with connect(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 5_000_000 + b"\r\n" + close)
            assert status_of(read_all(client)) == 200
        with connect(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\n" + close)
            assert status_of(read_all(client)) == 200
    finally:
        control.kill()
