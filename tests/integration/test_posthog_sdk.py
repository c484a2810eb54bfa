"""PostHog's own Python SDK against the gateway, over a socket."""

from __future__ import annotations

import posthog
import pytest

from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import listening


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
