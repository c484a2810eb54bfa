"""Recorded requests of Sentry's SDKs, and what lies in Kafka after each: read once by people."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_app import APP, GatewayUnderTest

FOLDER = Path(__file__).parent
DSN_KEY = "abcdef0123456789abcdef0123456789"
SENDING = ("connection", "transfer-encoding")  # of the connection that was recorded


def load(folder: str, name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / folder / f"{name}.json").read_text(encoding="utf-8")))


def post(gateway: GatewayUnderTest, request: dict[str, Any], request_id: str) -> Any:
    """The request as it was recorded."""
    headers = {name: value for name, value in request["headers"] if name.lower() not in SENDING}
    return gateway.http.post(
        request["path"] + (f"?{request['query']}" if request["query"] else ""),
        content=base64.b64decode(request["body_base64"]),
        headers={**headers, "x-request-id": request_id},
    )


@pytest.mark.parametrize("name", ["sentry-python", "sentry-node"])
def test_what_an_sdk_sends_becomes_these_records(gateway: GatewayUnderTest, name: str) -> None:
    golden = load("golden_sdk", name)
    gateway.add_key(APP, DSN_KEY)
    gateway.clock_ms = golden["clock_ms"]

    for number, request in enumerate(load("captures", name)["requests"]):
        known = len(gateway.publisher.records)
        answer = post(gateway, request, f"{name}-{number}")

        made = [
            {"topic": one.topic, "key": one.key.decode(), "value": json.loads(one.value)}
            for one in gateway.publisher.records[known:]
        ]
        expected = golden["requests"][number]
        assert (answer.status_code, answer.json()) == (expected["status"], expected["answer"])
        assert made == expected["records"]
    assert gateway.metrics.ignored.counts == {("sentry",): golden["ignored"]}
