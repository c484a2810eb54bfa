"""Recorded requests of OpenTelemetry's SDK, and the records that come of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_app import APP, GatewayUnderTest

HERE = Path(__file__).parent
NAMES = ["otlp-python", "otlp-python-gzip"]


def load(folder: str, name: str) -> Any:
    return json.loads((HERE / folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_request_becomes_these_records(gateway: GatewayUnderTest, name: str) -> None:
    gateway.add_key(APP, "KEY")  # of the recordings
    for sent in load("captures", name)["requests"]:
        headers = {**dict(sent["headers"]), "x-request-id": "request-1"}
        body = base64.b64decode(sent["body_base64"])
        answer = gateway.http.request(sent["method"], sent["path"], content=body, headers=headers)

        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/x-protobuf"
    made = [
        {"key": one.key.decode(), "value": json.loads(one.value)}
        for one in gateway.publisher.of("app-events")
    ]
    assert made == load("golden_sdk", name)
    assert gateway.publisher.of("app-events-dead") == []
