"""Recorded requests of PostHog's SDKs, damaged: whatever comes, it is answered and counted."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway_app import APP, GatewayUnderTest

KEY = "phc_test"
CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
BODIES = [
    gzip.decompress(base64.b64decode(request["body_base64"]))
    for path in sorted(CAPTURES.glob("posthog-*.json"))
    for request in json.loads(path.read_text(encoding="utf-8"))["requests"]
]
PATHS = ("/batch", "/e", "/i/v0/e", "/capture", "/i/v1/analytics/events")
NAMES = (
    "api_key", "token", "batch", "event", "uuid", "distinct_id", "timestamp", "offset", "sent_at",
    "session_id", "properties", "$set", "$exception_list", "$exception_level", "mechanism", "meta",
    "signal", "stacktrace", "frames", "in_app", "$is_identified", "$device_id", "$network_wifi",
    "$app_version", "$lib", "$time", "$screen_name", "", "\ud800",
)  # fmt: skip
EVENTS = ("$exception", "$screen", "$identify", "$set", "$snapshot", "Application Opened", "x")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*EVENTS, KEY, "x" * 300, "\ud83d", "2026-11-24T05:20:00Z", 1e308]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON value with a key of it."""
    found: list[tuple[Any, Any]] = []
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A recorded body with some of its values replaced, removed or cut."""
    body = json.loads(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 4))):
        container, key = draw(st.sampled_from(places(body) or [({"a": 1}, "a")]))
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "replace":
            container[key] = draw(values)
        elif how == "add" and isinstance(container, dict):
            container[draw(st.sampled_from(NAMES))] = draw(values)
        else:
            del container[key]
    shape = draw(st.sampled_from(["whole", "list", "one", "form", "cut"]))
    if shape in ("list", "one") and isinstance(body.get("batch"), list) and body["batch"]:
        body = body["batch"] if shape == "list" else body["batch"][0]
    text = json.dumps(body).encode()
    if shape == "form":
        return b"data=" + base64.b64encode(text)
    return text[: draw(st.integers(0, len(text)))] if shape == "cut" else text


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Any:
    under_test = GatewayUnderTest(tmp_path_factory.mktemp("gateway"))
    under_test.add_key(APP, KEY)
    with under_test.http:
        yield under_test


def check(gateway: GatewayUnderTest, body: bytes, path: str) -> None:
    gateway.publisher.records.clear()
    answer = gateway.post(body, path, authorization=f"Bearer {KEY}")

    assert answer.status_code in (200, 400, 401, 413)
    assert gateway.metrics.bugs._value.get() == 0
    for one in gateway.publisher.of("app-events"):
        json.loads(one.value.decode())


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=damaged(), path=st.sampled_from(PATHS))
def test_a_damaged_request_is_answered(kept: GatewayUnderTest, body: bytes, path: str) -> None:
    check(kept, body, path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=200), path=st.sampled_from(PATHS))
def test_any_bytes_are_answered(kept: GatewayUnderTest, body: bytes, path: str) -> None:
    check(kept, body, path)
