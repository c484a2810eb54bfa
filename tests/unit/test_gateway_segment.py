"""Segment's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from uuid import UUID

import pytest

from tests.gateway_app import APP, KEY, GatewayUnderTest

MESSAGE_ID = "6be1b52c-70cf-45cb-b300-a21bac0ab241"
SENT_AT = "2026-11-24T05:20:00.000Z"  # when the gateway's clock says it arrived


def basic(key: str = KEY) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def call(**changes: Any) -> dict[str, Any]:
    """A track call as analytics-python writes it."""
    values = {
        "type": "track",
        "event": "Order Completed",
        "messageId": MESSAGE_ID,
        "anonymousId": "install-1",
        "userId": "user-1",
        "timestamp": "2026-11-24T05:19:58.000Z",
        "integrations": {},
        "properties": {"price": 9.99},
        "context": {
            "app": {"name": "Demo", "version": "1.4.2", "build": "142", "namespace": "com.demo"},
            "device": {"id": "DEV-1", "manufacturer": "Google", "model": "Pixel 8"},
            "os": {"name": "Android", "version": "15"},
            "network": {"wifi": True, "cellular": False, "carrier": "T-Mobile"},
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "locale": "en-US",
            "timezone": "Europe/Berlin",
        },
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def send(gateway: GatewayUnderTest, *calls: Any, path: str = "/v1/batch", **more: Any) -> Any:
    body = {"batch": list(calls), "sentAt": SENT_AT, "writeKey": KEY, **more}
    return gateway.post(body, path=path, authorization=basic())


def row(gateway: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    """The record of one call."""
    assert send(gateway, call(**changes)).status_code == 200
    return gateway.rows()[-1]


class TestCall:
    def test_becomes_the_columns_of_an_event(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway)

        assert (
            found
            | {
                "event_id": MESSAGE_ID,
                "event_type": "track",
                "event_name": "Order Completed",
                "app_id": APP,
                "protocol": "segment",
                "device_id": "install-1",
                "user_id": "user-1",
                "app_package": "com.demo",
                "app_version": "1.4.2",
                "os_name": "Android",
                "device_model": "Pixel 8",
                "network_type": "wifi",
                "carrier": "T-Mobile",
                "sdk_name": "analytics-python",
                "time_quality": "as_sent",
            }
            == found
        )
        assert found["properties"] == {"price": 9.99, "$context.device.id": "DEV-1"}

    @pytest.mark.parametrize(
        ("name", "event_type"),
        [
            ("Application Opened", "app_open"),
            ("application opened", "app_open"),
            ("Application Backgrounded", "app_close"),
            ("Application Installed", "app_install"),
            ("Application Updated", "app_update"),
            ("Application Crashed", "app_crash"),
            ("Application Foregrounded", "track"),
        ],
    )
    def test_lifecycle_events_are_ours(
        self, gateway: GatewayUnderTest, name: str, event_type: str
    ) -> None:
        assert row(gateway, event=name)["event_type"] == event_type

    @pytest.mark.parametrize(
        ("changes", "event_type", "name"),
        [
            ({"type": "screen", "name": "Home", "event": None}, "screen", "Home"),
            ({"type": "page", "name": "Home", "event": None}, "screen", "Home"),
            ({"type": "identify", "event": None}, "identify", None),
            ({"type": "group", "event": None}, "track", "group"),
            ({"type": "alias", "event": None, "previousId": "u-0"}, "track", "alias"),
        ],
    )
    def test_other_calls_keep_their_kind(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], event_type: str, name: str | None
    ) -> None:
        found = row(gateway, **changes)

        assert (found["event_type"], found.get("event_name")) == (event_type, name)

    def test_traits_are_properties_of_an_identify(self, gateway: GatewayUnderTest) -> None:
        changes = {"type": "identify", "event": None, "properties": None, "traits": {"plan": "pro"}}

        assert row(gateway, **changes)["properties"]["plan"] == "pro"

    @pytest.mark.parametrize(
        ("changes", "device"),
        [
            ({}, "install-1"),
            ({"anonymousId": None}, "DEV-1"),
            ({"anonymousId": None, "context": {}}, "user-1"),
        ],
    )
    def test_the_device_is_the_install_else_the_device_else_the_user(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], device: str
    ) -> None:
        assert row(gateway, **changes)["device_id"] == device

    def test_a_crash_has_its_columns(self, gateway: GatewayUnderTest) -> None:
        properties = {"type": "NullPointer", "message": "no cart", "stacktrace": " at a.B.c(B:1)"}
        found = row(gateway, event="Application Crashed", properties=properties)

        assert (found["crash_type"], found["crash_reason"]) == ("NullPointer", "no cart")
        assert found["crash_stack"] == " at a.B.c(B:1)"
        assert found["crash_group"] > 0

    def test_a_message_id_that_is_no_uuid_is_kept_beside_one(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, messageId="ajs-next-1234")

        assert found["source_event_id"] == "ajs-next-1234"
        assert UUID(found["event_id"]).version == 5

    def test_without_a_message_id_a_copy_has_the_same_id(self, gateway: GatewayUnderTest) -> None:
        first, again = row(gateway, messageId=None), row(gateway, messageId=None)
        other = row(gateway, messageId=None, event="Other")

        assert first["event_id"] == again["event_id"] != other["event_id"]

    def test_a_wrong_clock_is_corrected(self, gateway: GatewayUnderTest) -> None:
        wrong = call(timestamp="2026-11-24T02:19:50.000Z")
        send(gateway, wrong, sentAt="2026-11-24T02:20:00.000Z")

        found = gateway.rows()[-1]
        assert found["time_quality"] == "corrected"
        assert found["ts"].startswith("2026-11-24T05:19:50")
        assert found["occurred_at"].startswith("2026-11-24T02:19:50")

    def test_time_offline_is_not_taken_for_a_wrong_clock(self, gateway: GatewayUnderTest) -> None:
        library = {"library": {"name": "analytics-kotlin", "version": "1.25.0"}}
        old = call(timestamp="2026-11-24T02:19:50.000Z", context=library)
        send(gateway, old, sentAt="2026-11-24T02:20:00.000Z")

        assert gateway.rows()[-1]["ts"].startswith("2026-11-24T02:19:50")

    @pytest.mark.parametrize(("count", "quality"), [("0", "corrected"), ("1", "as_sent")])
    def test_a_batch_file_that_was_sent_before_may_have_spent_its_time_offline(
        self, gateway: GatewayUnderTest, count: str, quality: str
    ) -> None:
        library = {"library": {"name": "analytics-swift", "version": "1.9.1"}}
        body = {"batch": [call(context=library)], "sentAt": "2026-11-24T05:19:30.000Z"}
        gateway.post(body, path="/v1/b", authorization=basic(), x_retry_count=count)

        assert gateway.rows()[-1]["time_quality"] == quality


class TestPaths:
    @pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/segment/v1/batch"])
    def test_batches_of_every_generation(self, gateway: GatewayUnderTest, path: str) -> None:
        answer = send(gateway, call(), call(messageId="m-2"), path=path)

        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert len(gateway.rows()) == 2

    @pytest.mark.parametrize("name", ["track", "identify", "screen", "page", "group", "alias"])
    def test_one_call_as_a_body(self, gateway: GatewayUnderTest, name: str) -> None:
        body = {**call(type=None), "writeKey": KEY}
        answer = gateway.post(body, path=f"/v1/{name}", authorization=basic())

        assert answer.status_code == 200
        assert len(gateway.rows()) == 1

    def test_the_settings_name_this_host(self, gateway: GatewayUnderTest) -> None:
        answer = gateway.http.get(f"/v1/projects/{KEY}/settings", headers={"host": "gw.example"})

        segment = answer.json()["integrations"]["Segment.io"]
        assert (segment["apiKey"], segment["apiHost"]) == (KEY, "gw.example/v1")

    def test_a_compressed_batch_with_a_lying_content_type(self, gateway: GatewayUnderTest) -> None:
        body = gzip.compress(json.dumps({"batch": [call()], "sentAt": SENT_AT}).encode())
        answer = gateway.post(
            body, path="/v1/b", authorization=basic(),
            content_encoding="gzip", content_type="text/plain",
        )  # fmt: skip

        assert answer.status_code == 200


class TestKeys:
    def test_the_head_s_or_the_body_s_is_enough(self, gateway: GatewayUnderTest) -> None:
        only_head = {"batch": [call()], "sentAt": SENT_AT}
        only_body = {**only_head, "writeKey": KEY}

        assert gateway.post(only_head, "/v1/b", authorization=basic()).status_code == 200
        assert gateway.post(only_body, "/v1/b", authorization="").status_code == 200

    @pytest.mark.parametrize(("path", "status"), [("/v1/batch", 401), ("/v1/b", 400)])
    def test_a_wrong_one_is_what_the_sdk_of_that_path_understands(
        self, gateway: GatewayUnderTest, path: str, status: int
    ) -> None:
        body = {"batch": [call()], "sentAt": SENT_AT}

        assert gateway.post(body, path, authorization=basic("wrong")).status_code == status
        assert gateway.post(body, path, authorization="Basic !!!").status_code == status

    def test_two_that_differ_are_refused(self, gateway: GatewayUnderTest) -> None:
        body = {"batch": [call()], "sentAt": SENT_AT, "writeKey": "another"}

        assert gateway.post(body, "/v1/batch", authorization=basic()).status_code == 401


class TestBad:
    def test_one_bad_call_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, call(event=None), 7, call(), call(messageId="x" * 201))

        assert answer.status_code == 200
        assert len(gateway.rows()) == 1
        assert gateway.count("rejected") == 3
        letters = gateway.publisher.of("app-events-dead")
        assert [dict(one.headers)["code"] for one in letters] == [
            b"missing_field", b"invalid_json", b"id_too_long",
        ]  # fmt: skip

    def test_an_unreadable_body_is_400_where_that_ends_it(self, gateway: GatewayUnderTest) -> None:
        assert gateway.post(b"{", "/v1/b", authorization=basic()).status_code == 400

    def test_where_a_400_would_be_repeated_for_ever_the_body_is_a_dead_letter(
        self, gateway: GatewayUnderTest
    ) -> None:
        answer = gateway.post(b"{", "/v1/batch", authorization=basic())

        assert answer.status_code == 200
        (letter,) = gateway.publisher.of("app-events-dead")
        assert letter.value == b"{"

    @pytest.mark.parametrize(("path", "status"), [("/v1/batch", 413), ("/v1/b", 400)])
    def test_too_many_calls_are_refused_whole(
        self, gateway: GatewayUnderTest, path: str, status: int
    ) -> None:
        answer = send(gateway, *[{}] * 2_501, path=path)

        assert answer.status_code == status
        assert answer.json()["error"]["code"] == "too_many_events"

    def test_an_empty_batch_is_fine(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway).status_code == 200
        assert gateway.rows() == []

    def test_what_is_not_kept_is_503_with_a_whole_retry_after(
        self, gateway: GatewayUnderTest
    ) -> None:
        gateway.publisher.fail_next = 1
        answer = send(gateway, call())

        assert answer.status_code == 503
        assert 5 <= int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize("depth", range(940, 1010, 3))
def test_near_the_deepest_nesting_a_body_is_taken_or_refused(
    gateway: GatewayUnderTest, depth: int
) -> None:
    """Parts are decoded from deeper calls than the whole: some depths pass the one alone."""
    nested = "[" * depth + "]" * depth
    body = json.dumps({"batch": [call(properties={"a": "HERE"})], "writeKey": KEY})

    answer = gateway.post(body.replace('"HERE"', nested).encode(), path="/v1/b")

    assert answer.status_code in (200, 400)
    assert gateway.metrics.bugs._value.get() == 0
