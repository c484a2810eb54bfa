"""Which protocol a request's target belongs to, and whose a shared path is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.contract.event import Batch, Stamp
from gateway.contract.refusal import Refused
from gateway.contract.verdict import Verdicts
from gateway.edge.cuts import GuardLimits
from gateway.edge.guard import Guard
from gateway.protocols import PROTOCOLS
from gateway.protocols.protocol import HANG_UP, Answer, Head, Protocol, Route
from gateway.routing import Routes
from tests.fakes import FakeTransport
from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import listening
from tests.raw_http import ask

ROUTES = Routes(PROTOCOLS)
MILLISECONDS = 1_795_497_590_000
AMPLITUDE = {"event_type": "Order", "device_id": "d-1", "insert_id": "i-1", "time": MILLISECONDS}
POSTHOG = {"event": "Order", "distinct_id": "d-1", "timestamp": "2026-11-24T05:19:50Z"}
MIXPANEL: dict[str, Any] = {
    "event": "Order",
    "properties": {"$insert_id": "i-1", "distinct_id": "d-1", "time": MILLISECONDS},
}


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        (b"/v1/events", "/v1/events", b""),
        (b"/v1/events/", "/v1/events", b""),
        (b"/native/v1/events?a=1", "/native/v1/events", b"a=1"),
        (b"/v1/%65vents", "/v1/events", b""),
        (b"http://host/v1/events", "/v1/events", b""),
        (b"/v1/projects/abc/settings", "/v1/projects/abc/settings", b""),
    ],
)
def test_a_target_is_found_with_its_path_and_query(url: bytes, path: str, query: bytes) -> None:
    found = ROUTES.find_url(url)

    assert found is not None
    assert found[:2] == (path, query)


@pytest.mark.parametrize("url", [b"/livez", b"*", b"/v1/events\xff", b"", b"/v1/Events", b"host:1"])
def test_other_targets_are_nobody_s(url: bytes) -> None:
    assert ROUTES.find_url(url) is None


class Rude:
    """Takes a path for itself or for another by the body, and hangs up on whom it does not take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.other: Protocol = self
        self.routes: Sequence[Route] = (Route("POST", "/rude", owner=self._owner),)

    def _owner(self, head: Head, body: bytes) -> Protocol:
        return self.other if body.startswith(b"other") else self

    def check(self, head: Head) -> None: ...

    def credentials(self, head: Head) -> str | None:
        return head.header(b"x-key") or None

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        return [Batch(events=[], sent_at=None, stamp=Stamp.NONE, ignored=2)]

    def is_retry(self, head: Head) -> bool:
        return False

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        return Answer(200, self.name.encode(), b"text/plain", ((b"x-more", b"1"),))

    def refuse(self, head: Head, refused: Refused) -> Answer:
        return HANG_UP


@pytest.fixture
def rude(tmp_path: Path) -> tuple[GatewayUnderTest, Any]:
    under_test = GatewayUnderTest(tmp_path)
    one, other = Rude("one"), Rude("other")
    one.other = other
    app = create_app(
        GatewayConfig(), under_test.publisher, under_test.keys, under_test.metrics, [one, other],
        lambda: under_test.clock_ms,
    )  # fmt: skip
    return under_test, app


def post(app: Any, body: bytes, key: str = KEY) -> FakeTransport:
    """Over the guard; what it wrote."""
    config = uvicorn.Config(app, loop="none", lifespan="off", log_config=None, ws="none")
    limits = GuardLimits(head_bytes=8192, headers=60, head_seconds=5, idle_seconds=5)

    async def main() -> FakeTransport:
        guard = Guard(
            config, ServerState(), {}, dispatch=app.dispatch, limits=limits,
            on_refused=lambda _: None,
        )  # fmt: skip
        transport = FakeTransport()
        guard.connection_made(transport)
        head = f"POST /rude HTTP/1.1\r\nHost: h\r\nX-Key: {key}\r\nContent-Length: {len(body)}"
        guard.data_received(head.encode() + b"\r\n\r\n" + body)
        guard.connection_lost(None)
        return transport

    config.load()
    return asyncio.run(main())


@pytest.mark.parametrize(("body", "name"), [(b"mine", b"one"), (b"other", b"other")])
def test_a_shared_path_is_answered_by_the_one_whose_body_it_is(
    rude: tuple[GatewayUnderTest, Any], body: bytes, name: bytes
) -> None:
    under_test, app = rude
    written = bytes(post(app, body).written)

    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.endswith(b"\r\n\r\n" + name)
    assert b"x-more: 1\r\n" in written
    assert under_test.metrics.ignored.counts == {(name.decode(),): 2}


def test_hanging_up_closes_the_connection_without_an_answer(
    rude: tuple[GatewayUnderTest, Any],
) -> None:
    _, app = rude
    transport = post(app, b"mine", key="unknown")

    assert bytes(transport.written) == b""
    assert transport.is_closing()


def test_answers_of_the_guard_and_of_asgi_are_the_same(
    rude: tuple[GatewayUnderTest, Any],
) -> None:
    _, app = rude
    written = bytes(post(app, b"mine").written)
    head, _, body = written.partition(b"\r\n\r\n")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"mine"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    scope = {
        "type": "http", "method": "POST", "path": "/rude", "query_string": b"",
        "headers": [(b"x-key", KEY.encode())],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))

    names = [line.partition(b": ")[0] for line in head.split(b"\r\n")[1:]]
    assert sent[0]["status"] == 200
    assert [name for name, _ in sent[0]["headers"]] == names
    assert sent[1]["body"] == body
    assert msgspec.json.decode(b'"%b"' % body) == "one"


@pytest.mark.parametrize(
    ("body", "protocol", "event"),
    [
        ({"api_key": KEY, "events": [AMPLITUDE]}, "amplitude", "Order"),
        ({"api_key": KEY, "batch": [POSTHOG]}, "posthog", "Order"),
    ],
)
def test_the_path_of_two_vendors(
    gateway: GatewayUnderTest, body: Any, protocol: str, event: str
) -> None:
    answer = gateway.post(body, "/batch")

    assert answer.status_code == 200
    assert [(one["protocol"], one["event_name"]) for one in gateway.rows()] == [(protocol, event)]


def test_what_cannot_be_read_there_is_posthog_s(gateway: GatewayUnderTest) -> None:
    assert gateway.post(b"{", "/batch").status_code == 400


@pytest.mark.parametrize("path", ["/amplitude/", "/amplitude", "/amplitude/?a=1", "/"])
def test_a_vendor_s_root_is_found(gateway: GatewayUnderTest, path: str) -> None:
    form = f"v=2&client={KEY}&e={json.dumps([AMPLITUDE])}&upload_time=1795497600000"

    assert gateway.post(form.encode(), path).text == "success"


def test_an_unknown_key_beside_known_ones_costs_its_own_events_alone(
    gateway: GatewayUnderTest,
) -> None:
    good, bad = ({**MIXPANEL, "properties": {**MIXPANEL["properties"], "token": key}}
                 for key in (KEY, "unknown"))  # fmt: skip

    answer = gateway.post([good, bad, good], "/track", authorization="")

    assert answer.status_code == 200
    assert len(gateway.rows()) == 1  # the third is the first again
    assert gateway.count("rejected") == 1
    assert gateway.metrics.rejections.counts["unknown_key",] == 1
    assert gateway.publisher.of("app-events-dead") == []


def test_positions_are_those_in_the_post_whatever_the_keys(gateway: GatewayUnderTest) -> None:
    gateway.add_key("second", "another-key")
    keys = [KEY, "another-key", KEY]
    events = [{**POSTHOG, "uuid": str(one), "api_key": key} for one, key in enumerate(keys)]
    events[2]["distinct_id"] = "d" * 201

    gateway.post(events, "/e", authorization="")

    (letter,) = gateway.publisher.of("app-events-dead")
    assert dict(letter.headers)["position"] == b"2"


def test_unknown_keys_alone_are_an_unknown_key(gateway: GatewayUnderTest) -> None:
    bad = [
        {**MIXPANEL, "properties": {**MIXPANEL["properties"], "token": key}} for key in ("a", "b")
    ]

    gateway.post(bad, "/track", authorization="")

    assert gateway.metrics.refusals.counts["unknown_key",] == 1
    assert gateway.count("rejected") == 0


def test_a_good_answer_to_a_body_that_is_too_large_ends_the_connection(
    gateway: GatewayUnderTest,
) -> None:
    """Mixpanel's SDKs hear 200, and must not go on sending until they are cut off."""
    head = b"POST /track HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n"
    with listening(gateway) as url:
        answer = ask(int(url.rpartition(":")[2]), head + b" " * 100_000)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b'\r\n\r\n{"error":null,"status":1}')
