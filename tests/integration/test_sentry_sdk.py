"""Sentry's own Python SDK against a gateway on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import listening


@pytest.fixture
def url(gateway: GatewayUnderTest) -> Iterator[str]:
    with listening(gateway) as url:
        yield url


@pytest.fixture
def scope(url: str) -> Iterator[Any]:
    """An SDK of this test alone: it hooks into nothing."""
    client = sentry_sdk.Client(
        dsn=f"{url}/42".replace("//", f"//{KEY}@"),
        release="com.example.demo@1.4.2+142",
        default_integrations=False,
        auto_enabling_integrations=False,
        shutdown_timeout=10,
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.set_user({"id": "user-1"})
        yield scope
    client.close(timeout=10)


def test_what_it_captures_is_stored(gateway: GatewayUnderTest, scope: Any) -> None:
    scope.capture_exception(ZeroDivisionError("no cart"))
    scope.capture_message("Order Completed")
    scope.start_session()
    scope.end_session()
    scope.client.flush(timeout=10)

    found = {one["event_type"]: one for one in gateway.rows()}
    assert set(found) == {"error", "track", "session_start", "session_end"}
    assert found["error"]["crash_type"] == "ZeroDivisionError"
    assert found["track"]["event_name"] == "Order Completed"
    assert {one["device_id"] for one in found.values()} == {"user-1"}
    assert {one["app_version"] for one in found.values()} == {"1.4.2"}


def test_a_gateway_that_cannot_keep_it_does_not_mute_it(
    gateway: GatewayUnderTest, scope: Any
) -> None:
    gateway.publisher.fail_next = 1
    scope.capture_message("first")
    scope.client.flush(timeout=10)
    scope.capture_message("second")
    scope.client.flush(timeout=10)

    names = [one["event_name"] for one in gateway.rows()]
    assert "second" in names
    assert gateway.metrics.requests.counts["sentry", "0"] == 1
