"""Requests of Amplitude's, Mixpanel's and Snowplow's SDKs, and the records that they become."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sinks.rows import read_event
from sinks.sink import Polled, Row
from tests.gateway_app import GatewayUnderTest

HERE = Path(__file__).parent
PER_REQUEST = {"request_id"}  # ours, and another each time
KEYS = {"amplitude": "AMP_KEY", "mixpanel": "MPTOKEN", "snowplow": "com.example.demo"}
FILES = [
    "amplitude-node", "amplitude-python-batch", "mixpanel-node", "mixpanel-python",
    "snowplow-python",
]  # fmt: skip


def requests_of(name: str) -> list[dict[str, Any]]:
    captured = json.loads((HERE / "captures" / f"{name}.json").read_text("utf-8"))
    return list(captured["requests"])


def play(gateway: GatewayUnderTest, request: dict[str, Any]) -> Any:
    query = f"?{request['query']}" if request["query"] else ""
    return gateway.http.request(
        request["method"],
        request["path"] + query,
        content=base64.b64decode(request["body_base64"]),
        headers=dict(request["headers"]),
    )


def golden(name: str) -> list[dict[str, Any]]:
    return list(json.loads((HERE / "golden_sdk" / f"{name}.json").read_text("utf-8")))


@pytest.mark.parametrize("name", FILES)
def test_a_recorded_request_becomes_these_records(gateway: GatewayUnderTest, name: str) -> None:
    gateway.add_key("shop", KEYS[name.partition("-")[0]])

    answers = [play(gateway, one) for one in requests_of(name)]

    assert {one.status_code for one in answers} == {200}
    rows = [{k: v for k, v in row.items() if k not in PER_REQUEST} for row in gateway.rows()]
    assert rows == golden(name)
    for record in gateway.publisher.of("app-events"):
        assert isinstance(read_event(Polled(0, record.key, record.value, 0)), Row)


@pytest.mark.parametrize("name", FILES)
def test_a_request_sent_again_has_the_same_ids(gateway: GatewayUnderTest, name: str) -> None:
    gateway.add_key("shop", KEYS[name.partition("-")[0]])

    for _ in range(2):
        for one in requests_of(name):
            play(gateway, one)

    ids = [row["event_id"] for row in gateway.rows()]
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]
