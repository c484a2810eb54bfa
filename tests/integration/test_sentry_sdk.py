"""Sentry's own Python SDK against a gateway on a socket."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gateway.edge.guard import Guard, GuardLimits
from tests.gateway_app import KEY, GatewayUnderTest
from tests.kafka import wait_until

sentry_sdk = pytest.importorskip("sentry_sdk")

LIMITS = GuardLimits(head_bytes=32_768, headers=100, head_seconds=5, idle_seconds=5)


class Served:
    """A gateway that listens, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.under_test = GatewayUnderTest(folder)
        app: Any = self.under_test.http.app
        guard = partial(Guard, dispatch=app.dispatch, limits=LIMITS, on_refused=lambda _: None)
        config = uvicorn.Config(
            app,
            loop="none",
            http=guard,  # type: ignore[arg-type]  # called as a class would be
            ws="none",
            lifespan="off",
            log_config=None,
        )
        self._server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        serving = self._server.serve(sockets=[self._listener])
        self._thread = threading.Thread(target=asyncio.run, args=(serving,))
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    gateway = Served(tmp_path)
    yield gateway
    gateway.stop()


@pytest.fixture
def scope(served: Served) -> Iterator[Any]:
    """An SDK of this test alone: it hooks into nothing."""
    client = sentry_sdk.Client(
        dsn=f"http://{KEY}@127.0.0.1:{served.port}/42",
        release="com.example.demo@1.4.2+142",
        default_integrations=False,
        auto_enabling_integrations=False,
        shutdown_timeout=10,
        _experiments={"transport_compression_algo": "gzip"},  # else brotli, where it is installed
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.set_user({"id": "user-1"})
        yield scope
    client.close(timeout=10)


def test_what_it_captures_is_stored(served: Served, scope: Any) -> None:
    scope.capture_exception(ZeroDivisionError("no cart"))
    scope.capture_message("Order Completed")
    scope.start_session()
    scope.end_session()
    scope.client.flush(timeout=10)

    found = {one["event_type"]: one for one in served.under_test.rows()}
    assert set(found) == {"error", "track", "session_start", "session_end"}
    assert found["error"]["crash_type"] == "ZeroDivisionError"
    assert found["track"]["event_name"] == "Order Completed"
    assert {one["device_id"] for one in found.values()} == {"user-1"}
    assert {one["app_version"] for one in found.values()} == {"1.4.2"}


def test_a_gateway_that_cannot_keep_it_does_not_mute_it(served: Served, scope: Any) -> None:
    served.under_test.publisher.fail_next = 1
    scope.capture_message("first")
    scope.client.flush(timeout=10)
    scope.capture_message("second")
    scope.client.flush(timeout=10)

    names = [one["event_name"] for one in served.under_test.rows()]
    assert "second" in names
    assert served.under_test.metrics.requests.counts["sentry", "0"] == 1
