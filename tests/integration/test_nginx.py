"""The sample of a reverse proxy, in the distribution's own nginx: what it passes on, to whom, what
it keeps, and what it never does."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infra.local.ports import free_ports
from tests.builders import make_batch
from tests.http_serving import Serving, answer
from tests.nginx import NginxUnderTest, needed
from tests.processes import KEY, GatewayProcess, add_key
from tests.raw_http import connect, read_all, status_of

OTHER_SIDES = 3
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Upstream:
    """A stand-in for a gateway, which does what it is told."""

    def __init__(self) -> None:
        self.heads: list[dict[str, str]] = []
        self.status, self.headers = 200, [("X-Of", "the gateway")]
        self.hangs_up = False
        self._serving = Serving(self._handle)
        self.port = int(self._serving.url.rpartition(":")[2])

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("content-length", "0")))
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        if self.hangs_up:
            request.close_connection = True
            return
        answer(request, self.status, self.headers, b"{}")

    def close(self) -> None:
        self._serving.close()


class Balanced:
    def __init__(self, folder: Path) -> None:
        self.upstreams = [Upstream() for _ in range(OTHER_SIDES)]
        self.nginx = NginxUnderTest(folder, [one.port for one in self.upstreams])
        self.client = httpx2.Client(
            base_url=self.nginx.url, verify=self.nginx.authority.trust(), headers=HEADERS
        )

    def post(self, device: str = "", path: str = "/v1/events", **more: Any) -> httpx2.Response:
        headers = {"X-Device-Id": device} if device else {}
        return self.client.post(path, content=b"{}", headers={**headers, **more.pop("headers", {})})

    def heads(self) -> list[dict[str, str]]:
        return [head for one in self.upstreams for head in one.heads]

    def close(self) -> None:
        self.client.close()
        self.nginx.stop()
        for one in self.upstreams:
            one.close()


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    needed()
    one = Balanced(tmp_path)
    yield one
    one.close()


def test_a_device_stays_on_one_gateway_and_devices_are_spread(balanced: Balanced) -> None:
    for number in range(60):
        balanced.post(f"device-{number % 20}")

    where = [Counter(head["x-device-id"] for head in one.heads) for one in balanced.upstreams]
    assert sum(len(one) for one in where) == 20  # no device is in two of them
    assert all(count == 3 for one in where for count in one.values())
    assert all(where)


def test_without_a_device_the_address_decides(balanced: Balanced) -> None:
    for _ in range(6):
        balanced.post()

    assert sorted(len(one.heads) for one in balanced.upstreams) == [0, 0, 6]


def test_a_phone_cannot_choose_its_address(balanced: Balanced) -> None:
    balanced.post("d", headers={"X-Forwarded-For": "1.2.3.4"})

    (head,) = balanced.heads()
    assert head["x-forwarded-for"] == "127.0.0.1"
    assert head["authorization"] == HEADERS["Authorization"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_passes_with_its_retry_after_and_is_not_tried_elsewhere(
    balanced: Balanced, status: int
) -> None:
    for one in balanced.upstreams:
        one.status, one.headers = status, [("Retry-After", "17")]

    found = balanced.post("d")

    assert (found.status_code, found.headers["retry-after"]) == (status, "17")
    assert len(balanced.heads()) == 1


def test_a_post_whose_gateway_goes_away_is_not_sent_again(balanced: Balanced) -> None:
    for one in balanced.upstreams:
        one.hangs_up = True

    found = balanced.post("d")

    assert (found.status_code, found.headers["retry-after"]) == (503, "5")
    assert len(balanced.heads()) == 1


def test_sentry_is_hung_up_on_as_the_gateway_does(balanced: Balanced) -> None:
    for one in balanced.upstreams:
        one.hangs_up = True

    with pytest.raises(httpx2.RemoteProtocolError):
        balanced.post("d", "/api/1/envelope/")

    assert len(balanced.heads()) == 1


def test_a_dead_gateway_s_devices_go_to_another(balanced: Balanced) -> None:
    balanced.upstreams[0].close()

    found = [balanced.post(f"device-{number}").status_code for number in range(30)]

    assert found == [200] * 30
    assert balanced.upstreams[0].heads == []


def test_limits_are_those_of_the_gateway(balanced: Balanced) -> None:
    client = balanced.client
    most = 4 * 1024 * 1024

    assert client.post("/v1/events", content=bytes(most)).status_code == 200
    assert client.post("/v1/events", content=bytes(most + 1)).status_code == 413
    assert balanced.post("d", headers={"X-Long": "x" * 20_000}).status_code == 200
    assert balanced.post("d", headers={"X-Long": "x" * 40_000}).status_code == 400
    assert len(balanced.heads()) == 2


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/livez"])
def test_what_is_for_operators_is_not_shown(balanced: Balanced, path: str) -> None:
    assert balanced.client.get(path).status_code == 404
    assert balanced.heads() == []


def test_a_slow_phone_holds_no_gateway(balanced: Balanced) -> None:
    trust = balanced.nginx.authority.trust()
    with trust.wrap_socket(connect(balanced.nginx.port), server_hostname="localhost") as slow:
        slow.sendall(b"POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
        assert balanced.post("d").status_code == 200
        assert len(balanced.heads()) == 1
        slow.sendall(b"a body")
        assert status_of(slow.recv(65536)) == 200
    assert len(balanced.heads()) == 2


def test_plain_http_and_old_tls_are_not_spoken(balanced: Balanced) -> None:
    with connect(balanced.nginx.port) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert status_of(read_all(plain)) == 400
    old = balanced.nginx.authority.trust()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        old.wrap_socket(connect(balanced.nginx.port), server_hostname="localhost")


def test_events_reach_a_gateway_that_knows_where_they_come_from(tmp_path: Path) -> None:
    needed()
    add_key("demo", tmp_path)
    gateway = GatewayProcess(
        "127.0.0.1:1", tmp_path, trusted_proxies="127.0.0.1", spool_after_seconds=0.05,
        spool_min_free_bytes=0, unknown_keys_per_minute=1,
    )  # fmt: skip
    nginx = NginxUnderTest(tmp_path, [gateway.port, *free_ports(1)])
    try:
        with httpx2.Client(base_url=nginx.url, verify=nginx.authority.trust()) as client:
            for device in ("a", "b", "c", "d"):
                found = client.post(
                    "/v1/events", json=make_batch(), headers={**HEADERS, "X-Device-Id": device}
                )
                assert (found.status_code, found.json()["stored"]) == (200, "spool")
    finally:
        nginx.stop()
        gateway.stop()
