"""Recorded requests of Amplitude's and Mixpanel's SDKs, damaged: nothing ends in an error."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.test_golden_sdk import CAPTURES, load
from tests.gateway_app import KEY, GatewayUnderTest

OVERLOAD = {429, 503}
FUZZ = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CAPTURED = [
    (one["path"], one["query"], base64.b64decode(one["body_base64"]))
    for path in CAPTURES
    if path.stem.startswith(("amplitude", "mixpanel"))
    for one in load(path)["requests"]
]
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, 1e308, -1, 0, 10**400])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | st.just("x" * 300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
AMPLITUDE_KEYS = [
    "event_type", "insert_id", "uuid", "event_id", "sequence_number", "time", "timestamp",
    "device_id", "user_id", "session_id", "app_version", "language", "country", "library", "ip",
    "event_properties", "user_properties",
]  # fmt: skip
MIXPANEL_KEYS = [
    "distinct_id", "$device_id", "$user_id", "time", "$insert_id", "$os", "$wifi", "mp_lib",
    "$ae_session_length", "$ae_crashed_reason", "$identified_id", "$app_build_number",
]  # fmt: skip
NAMES = [
    "$ae_session", "$ae_crashed", "$identify", "session_start", "[Amplitude] Screen Viewed",
    "$groupidentify", "Order",
]  # fmt: skip


def check(gateway: GatewayUnderTest, answer: Any) -> None:
    assert answer.status_code < 500 or answer.status_code in OVERLOAD
    assert gateway.metrics.bugs._value.get() == 0
    for record in gateway.rows():
        assert record["device_id"]
    gateway.publisher.records.clear()


def objects(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), VALUES, max_size=len(keys))


@FUZZ
@given(
    which=st.sampled_from(CAPTURED),
    at=st.floats(0, 1),
    cut=st.integers(0, 40),
    more=st.binary(max_size=12),
)
def test_damaged_bytes(
    gateway: GatewayUnderTest, which: tuple[str, str, bytes], at: float, cut: int, more: bytes
) -> None:
    gateway.add_key("amplitude", "AMP_KEY")
    gateway.add_key("mixpanel", "MPTOKEN")
    path, query, body = which
    if body:
        place = int(at * len(body))
        answer = gateway.post(body[:place] + more + body[place + cut :], f"{path}?{query}")
    else:
        place = int(at * len(query))
        damaged = query[:place] + more.hex() + query[place + cut :]
        answer = gateway.http.get(f"{path}?{damaged}")

    check(gateway, answer)


@FUZZ
@given(
    events=st.lists(objects(AMPLITUDE_KEYS) | VALUES, max_size=2),
    name=st.sampled_from(NAMES) | st.none(),
    sent=VALUES,
    is_old=st.booleans(),
)
def test_amplitude_s_events_of_any_shape(
    gateway: GatewayUnderTest, events: list[Any], name: str | None, sent: object, *, is_old: bool
) -> None:
    if name is not None:
        events = [{"event_type": name, **one} if isinstance(one, dict) else one for one in events]
    if is_old:
        fields = {"client": KEY, "e": json.dumps(events), "upload_time": str(sent)}
        body = urlencode(fields, errors="replace").encode()
    else:
        body = json.dumps({"api_key": KEY, "events": events, "client_upload_time": sent}).encode()

    check(gateway, gateway.post(body, "/" if is_old else "/2/httpapi", authorization=""))


@FUZZ
@given(
    events=st.lists(st.tuples(objects(MIXPANEL_KEYS), VALUES), max_size=2),
    name=st.sampled_from(NAMES) | VALUES,
    path=st.sampled_from(["/track", "/engage", "/groups", "/import"]),
    is_form=st.booleans(),
)
def test_mixpanel_s_events_of_any_shape(
    gateway: GatewayUnderTest,
    events: list[tuple[dict[str, Any], object]],
    name: object,
    path: str,
    *,
    is_form: bool,
) -> None:
    items = [
        {"event": name, "properties": {"token": KEY, **given}, "$mp_metadata": metadata}
        if path != "/engage"
        else {"$token": KEY, "$time": given.pop("time", metadata), "$set": metadata, **given}
        for given, metadata in events
    ]
    body = json.dumps(items).encode()
    if is_form:
        body = urlencode({"data": base64.b64encode(body)}).encode()

    check(gateway, gateway.post(body, path, authorization=""))


@pytest.mark.parametrize("depth", [200, 20_000])
@pytest.mark.parametrize(("path", "key"), [("/2/httpapi", "api_key"), ("/track", "token")])
def test_a_body_that_is_nested_deep(
    gateway: GatewayUnderTest, path: str, key: str, depth: int
) -> None:
    nested = "[" * depth + "]" * depth
    body = f'{{"{key}":"{KEY}","event":"e","properties":{nested},"events":{nested}}}'

    check(gateway, gateway.post(body.encode(), path, authorization=""))
