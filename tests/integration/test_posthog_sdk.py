"""PostHog's own Python SDK against the gateway, over a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import posthog
import pytest

from tests.gateway_app import KEY, GatewayUnderTest


@contextmanager
def listening(gateway: GatewayUnderTest) -> Iterator[str]:
    """The gateway's address: a server that hands every request to it as it came."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = dict(self.headers.items())
            answer = gateway.http.post(self.path, content=body, headers=headers)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *arguments: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("mode", ["v0", "v1"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_what_the_sdk_captures_is_stored_once(
    gateway: GatewayUnderTest, mode: str, is_compressed: bool
) -> None:
    errors: list[object] = []
    with listening(gateway) as host:
        client = posthog.Posthog(
            KEY,
            host=host,
            gzip=is_compressed,
            capture_mode=mode,
            on_error=lambda error, items: errors.append(error),
        )
        client.capture("Application Opened", distinct_id="u-1")
        client.capture("order completed", distinct_id="u-1", properties={"price": 9.99})
        client.capture_exception(ValueError("no cart"), distinct_id="u-1")
        client.shutdown()

    assert errors == []
    assert sorted(one["event_type"] for one in gateway.rows()) == ["app_open", "error", "track"]
    assert {one["sdk_name"] for one in gateway.rows()} == {"posthog-python"}
    assert gateway.metrics.bugs._value.get() == 0


def test_an_event_that_is_not_kept_comes_again(gateway: GatewayUnderTest) -> None:
    gateway.publisher.fail_next = 1
    with listening(gateway) as host:
        client = posthog.Posthog(KEY, host=host)
        client.capture("order completed", distinct_id="u-1")
        client.shutdown()

    assert len(gateway.rows()) == 1


def test_without_flags_the_sdk_goes_on(gateway: GatewayUnderTest) -> None:
    with listening(gateway) as host:
        client = posthog.Posthog(KEY, host=host)
        flags = client.get_all_flags("u-1")
        client.shutdown()

    assert flags == {}
