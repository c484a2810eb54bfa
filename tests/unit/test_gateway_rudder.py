"""RudderStack's protocol: where it is not Segment's."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.protocols.protocol import Head
from gateway.protocols.rudder import RudderProtocol
from tests.gateway_app import KEY, GatewayUnderTest

SENT_AT = "2026-11-24T05:20:00.000Z"


def basic(key: str = KEY) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def call(**changes: Any) -> dict[str, Any]:
    """A call as RudderStack's mobile SDKs write it."""
    return {
        "type": "track",
        "event": "Application Opened",
        "messageId": "6be1b52c-70cf-45cb-b300-a21bac0ab241",
        "anonymousId": "install-1",
        "channel": "mobile",
        "originalTimestamp": "2026-11-24T05:19:58.000Z",
        "sentAt": SENT_AT,
        "properties": {"from_background": False},
        "context": {
            "sessionId": 1795497590,
            "sessionStart": True,
            "library": {"name": "com.rudderstack.android.sdk.core", "version": "1.27"},
        },
        **changes,
    }


def send(gateway: GatewayUnderTest, body: Any, path: str = "/rudder/v1/batch", **more: str) -> Any:
    return gateway.post(body, path=path, **{"authorization": basic(), **more})


def test_a_call_becomes_an_event_with_its_session(gateway: GatewayUnderTest) -> None:
    answer = send(gateway, {"batch": [call()], "sentAt": SENT_AT})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    start, row = gateway.rows()
    assert (row["protocol"], row["event_type"]) == ("rudder", "app_open")
    assert row["device_id"] == "install-1"
    assert row["session_id"]
    assert row["properties"]["$context.sessionStart"] is True
    assert (start["event_type"], start["session_id"]) == ("session_start", row["session_id"])


def started(session: object, **changes: Any) -> dict[str, Any]:
    return call(**changes, context={"sessionId": session, "sessionStart": True})


def starts(gateway: GatewayUnderTest) -> list[dict[str, Any]]:
    return [one for one in gateway.rows() if one["event_type"] == "session_start"]


@pytest.mark.parametrize(
    ("session", "at"),
    [
        (1795497590, "2026-11-24T05:19:50Z"),  # an automatic one: the second it began in
        (7, "2026-11-24T05:19:58Z"),  # by hand: when the call was made
        (1795411000, "2026-11-24T05:19:58Z"),  # more than a day before: a number by chance
    ],
)
def test_a_session_starts_when_its_id_or_its_first_call_says(
    gateway: GatewayUnderTest, session: int, at: str
) -> None:
    send(gateway, {"batch": [started(session)], "sentAt": SENT_AT})

    (start,) = starts(gateway)
    assert start["occurred_at"] == at
    assert start["properties"]["$event.derived_from"] == "sessionStart"


def test_two_calls_that_start_a_session_start_one(gateway: GatewayUnderTest) -> None:
    calls = [started(1795497590), started(1795497590, messageId="m-2", event="Order Completed")]
    send(gateway, {"batch": calls, "sentAt": SENT_AT})
    send(gateway, {"batch": calls[1:], "sentAt": SENT_AT})

    assert len({one["event_id"] for one in starts(gateway)}) == 1
    assert len({one["occurred_at"] for one in starts(gateway)}) == 1


@pytest.mark.parametrize("context", [{"sessionId": 7}, {"sessionStart": True}, {}])
def test_without_both_no_session_starts(gateway: GatewayUnderTest, context: dict[str, Any]) -> None:
    send(gateway, {"batch": [call(context=context)], "sentAt": SENT_AT})

    assert [one["event_type"] for one in gateway.rows()] == ["app_open"]


def test_a_bad_call_beside_a_start_keeps_its_place(gateway: GatewayUnderTest) -> None:
    send(gateway, {"batch": [started(7), call(messageId="m-2", event="")], "sentAt": SENT_AT})

    (letter,) = gateway.publisher.of("app-events-dead")
    assert dict(letter.headers)["position"] == b"1"


@pytest.mark.parametrize(("attempt", "is_retry"), [(b"", False), (b"0", False), (b"2", True)])
def test_a_retry_is_known_by_its_header(attempt: bytes, is_retry: bool) -> None:
    head = Head("POST", "/rudder/v1/batch", b"", {b"rsa-retry-attempt": attempt})

    assert RudderProtocol().is_retry(head) == is_retry


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"no json", {}, 200),  # 400 is sent again every second for ever
        ({"batch": [call()]}, {"authorization": basic("other")}, 401),
        (b" " * (4 * 1024 * 1024 + 1), {}, 413),
    ],
)
def test_what_is_not_taken_has_the_status_its_sdks_can_bear(
    gateway: GatewayUnderTest, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = send(gateway, body, **headers)

    assert answer.status_code == status
    if status == 401:
        assert "Invalid write key" in answer.text


def test_an_unreadable_body_is_a_dead_letter(gateway: GatewayUnderTest) -> None:
    send(gateway, b"no json")

    (letter,) = gateway.publisher.of("app-events-dead")
    assert letter.value == b"no json"


def test_overload_asks_to_come_again(gateway: GatewayUnderTest) -> None:
    gateway.publisher.fail_next = 1
    answer = send(gateway, {"batch": [call()]})

    assert answer.status_code == 503
    assert 5 <= int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize("path", ["/sourceConfig", "/rudder/sourceConfig"])
def test_its_sdks_may_start_to_send(gateway: GatewayUnderTest, path: str) -> None:
    answer = gateway.http.get(path, headers={"authorization": basic()})

    source = answer.json()["source"]
    assert answer.status_code == 200
    assert (source["enabled"], source["writeKey"]) == (True, KEY)


def test_the_shared_path_is_still_segment_s(gateway: GatewayUnderTest) -> None:
    send(gateway, {"batch": [call()]}, path="/v1/batch")

    assert gateway.rows()[0]["protocol"] == "segment"
