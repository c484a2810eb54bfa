"""What SDKs were recorded to send, and the records and answers that come of it.

Each file of `captures/` named here holds requests as they were sent; the file of the same name
in `golden_sdk/` what the gateway makes of them, read once by a person and found right.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_app import APP, GatewayUnderTest

FOLDER = Path(__file__).parent
VENDORS = ("posthog", "rudder", "segment")
CAPTURES = sorted(
    path for vendor in VENDORS for path in (FOLDER / "captures").glob(f"{vendor}-*.json")
)
CAPTURED_KEYS = ("phc_test", "WK_RUDDER", "WK_SEGMENT")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def replay(gateway: GatewayUnderTest, request: dict[str, Any]) -> Any:
    headers = {**dict(request["headers"]), "X-Request-Id": "r-1"}
    path = request["path"] + ("?" + request["query"] if request["query"] else "")
    body = base64.b64decode(request["body_base64"])
    return gateway.http.request(request["method"], path, content=body, headers=headers)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_recorded_request_becomes_these_records(gateway: GatewayUnderTest, path: Path) -> None:
    for key in CAPTURED_KEYS:
        gateway.add_key(APP, key)
    golden = load(FOLDER / "golden_sdk" / path.name)
    answers = [replay(gateway, request) for request in load(path)["requests"]]

    assert [(one.status_code, one.json()) for one in answers] == [
        (one["status"], one["body"]) for one in golden["answers"]
    ]
    assert gateway.rows() == golden["records"]
    assert gateway.publisher.of("app-events-dead") == []


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_recorded_request_sent_again_has_the_same_ids(
    gateway: GatewayUnderTest, path: Path
) -> None:
    for key in CAPTURED_KEYS:
        gateway.add_key(APP, key)
    for _ in range(2):
        for request in load(path)["requests"]:
            replay(gateway, request)

    ids = [row["event_id"] for row in gateway.rows()]
    half = len(ids) // 2
    assert half > 0
    assert ids[:half] == ids[half:]
