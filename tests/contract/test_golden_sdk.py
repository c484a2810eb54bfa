"""What SDKs were recorded to send, and the records and answers that come of it.

Each file of `captures/` holds requests as they were sent; the file of the same name in
`golden_sdk/` what the gateway makes of them, read once by a person and found right.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sinks.rows import read_event
from sinks.sink import Polled, Row
from tests.builders import RECEIVED_MS
from tests.gateway_app import APP, GatewayUnderTest

FOLDER = Path(__file__).parent
CAPTURES = sorted((FOLDER / "captures").glob("*.json"))
CAPTURED_KEYS = (
    "phc_test", "WK_RUDDER", "WK_SEGMENT", "AMP_KEY", "MPTOKEN", "KEY", "APPKEY",
    "com.example.demo",
    "abcdef0123456789abcdef0123456789",
)  # fmt: skip
SENDING = ("connection", "transfer-encoding")  # of the connection that was recorded


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def replay(gateway: GatewayUnderTest, request: dict[str, Any]) -> Any:
    headers = {name: one for name, one in request["headers"] if name.lower() not in SENDING}
    path = request["path"] + ("?" + request["query"] if request["query"] else "")
    body = base64.b64decode(request["body_base64"])
    headers["X-Request-Id"] = "r-1"
    return gateway.http.request(request["method"], path, content=body, headers=headers)


def said(answer: Any) -> Any:
    """A body as JSON or as text; None where there is none."""
    if not answer.content:
        return None
    is_json = answer.headers["content-type"] == "application/json"
    return answer.json() if is_json else answer.text


@pytest.fixture
def known(gateway: GatewayUnderTest) -> GatewayUnderTest:
    for key in CAPTURED_KEYS:
        gateway.add_key(APP, key)
    return gateway


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
class TestRecorded:
    def test_a_request_becomes_these_records(self, known: GatewayUnderTest, path: Path) -> None:
        golden = load(FOLDER / "golden_sdk" / path.name)
        known.clock_ms = golden.get("clock_ms", RECEIVED_MS)
        answers = [replay(known, request) for request in load(path)["requests"]]

        assert [(one.status_code, said(one)) for one in answers] == [
            (one["status"], one["body"]) for one in golden["answers"]
        ]
        assert known.rows() == golden["records"]
        assert sum(known.metrics.ignored.counts.values()) == golden["ignored"]
        assert known.publisher.of("app-events-dead") == []

    def test_the_sink_reads_them_as_rows(self, known: GatewayUnderTest, path: Path) -> None:
        for request in load(path)["requests"]:
            replay(known, request)

        for record, row in zip(known.publisher.of("app-events"), known.rows(), strict=True):
            assert isinstance(read_event(Polled(0, record.key, record.value, 0)), Row)
            assert record.key == row["device_id"].encode()

    def test_a_request_sent_again_has_the_same_ids(
        self, known: GatewayUnderTest, path: Path
    ) -> None:
        for _ in range(2):
            for request in load(path)["requests"]:
                replay(known, request)

        ids = [row["event_id"] for row in known.rows()]
        half = len(ids) // 2
        assert half > 0
        assert ids[:half] == ids[half:]
