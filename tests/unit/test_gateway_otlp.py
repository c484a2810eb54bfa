"""OTLP's log records: what OpenTelemetry's mobile SDKs send, as events."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.gateway_app import APP, GatewayUnderTest
from tests.otlp import BOTH, JSON, PROTOBUF, RESOURCE, TIME, encoded, record, resource_logs

CRASH = {
    "exception.type": "NullPointer", "exception.message": "no cart",
    "exception.stacktrace": " at a.B.c(B:1)", "thread.id": 2, "thread.name": "main",
}  # fmt: skip
NESTED = {"a": [1, "b", {"c": None}], "b": {}}


def send(gateway: GatewayUnderTest, *logs: dict[str, Any], content_type: str = PROTOBUF) -> Any:
    body = encoded(content_type, *logs)
    return gateway.post(body, "/v1/logs", content_type=content_type)


def row(gateway: GatewayUnderTest, *args: Any, **fields: Any) -> dict[str, Any]:
    """The row of one record; `resource` replaces the attributes of its resource."""
    resource = fields.pop("resource", None)
    content_type = fields.pop("content_type", PROTOBUF)
    logs = resource_logs(record(*args, **fields), resource=resource)
    answer = send(gateway, logs, content_type=content_type)
    assert answer.status_code == 200
    rows = gateway.rows()
    assert rows, answer.content
    return rows[-1]


def codes(gateway: GatewayUnderTest) -> list[str]:
    """Why the dead letters are such."""
    letters = gateway.publisher.of("app-events-dead")
    return [dict(one.headers)["code"].decode() for one in letters]


class TestRecord:
    @pytest.mark.parametrize("content_type", BOTH)
    def test_becomes_the_columns_of_an_event(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        attributes = {
            "session.id": "s-1", "user.id": "user-1", "price": 9.99,
            "network.connection.type": "wifi", "network.carrier.name": "T-Mobile",
        }  # fmt: skip
        found = row(
            gateway, attributes=attributes, severityNumber=9, body="paid", content_type=content_type
        )

        expected = {
            "event_type": "track", "event_name": "order.completed", "app_id": APP,
            "protocol": "otlp", "device_id": "install-1", "user_id": "user-1",
            "app_package": "com.demo", "app_version": "1.4.2", "app_build": "142",
            "os_name": "Android", "os_version": "15", "device_manufacturer": "Google",
            "device_model": "shiba", "network_type": "wifi", "carrier": "T-Mobile",
            "sdk_name": "opentelemetry", "sdk_version": "1.45.2",
            "ts": "2026-11-24T05:19:58Z", "time_quality": "no_sent_at",
        }  # fmt: skip
        assert found | expected == found
        assert UUID(found["session_id"]).version == 5
        assert found["properties"] == {
            "$context.device.model.name": "Pixel 8",
            "$context.scope.name": "demo.scope",
            "$context.scope.version": "0.1",
            "$event.severityNumber": 9,
            "price": 9.99,
            "body": "paid",
        }

    @pytest.mark.parametrize(
        ("name", "state", "event_type"),
        [
            ("device.app.lifecycle", {"android.app.state": "foreground"}, "app_open"),
            ("device.app.lifecycle", {"android.app.state": "background"}, "app_close"),
            ("device.app.lifecycle", {"ios.app.state": "active"}, "app_open"),
            ("device.app.lifecycle", {"ios.app.state": "foreground"}, "app_open"),
            ("device.app.lifecycle", {"ios.app.state": "background"}, "app_close"),
            ("Device.App.Lifecycle", {"ios.app.state": "Terminate"}, "app_close"),
            ("app.crash", {}, "app_crash"),
            ("device.crash", {}, "app_crash"),
            ("session.start", {}, "session_start"),
            ("session.end", {}, "session_end"),
        ],
    )
    def test_lifecycle_events_are_ours(
        self, gateway: GatewayUnderTest, name: str, state: dict[str, str], event_type: str
    ) -> None:
        found = row(gateway, name, attributes=state)

        assert (found["event_type"], found.get("event_name")) == (event_type, None)
        assert found["properties"] | state == found["properties"]

    @pytest.mark.parametrize("state", ["created", "dreaming"])
    def test_another_state_is_an_event_of_its_own_name(
        self, gateway: GatewayUnderTest, state: str
    ) -> None:
        found = row(gateway, "device.app.lifecycle", attributes={"android.app.state": state})

        assert (found["event_type"], found["event_name"]) == ("track", "device.app.lifecycle")

    def test_an_app_that_is_inactive_is_only_counted(self, gateway: GatewayUnderTest) -> None:
        inactive = record("device.app.lifecycle", attributes={"ios.app.state": "inactive"})
        answer = send(gateway, resource_logs(inactive, record()))

        assert (answer.status_code, answer.content) == (200, b"")
        assert len(gateway.rows()) == 1

    def test_a_screen_has_its_own_name(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "app.screen.view", attributes={"app.screen.name": "Home"})

        assert (found["event_type"], found["event_name"]) == ("screen", "Home")
        assert found["properties"]["$event.eventName"] == "app.screen.view"
        assert row(gateway, "app.screen.view")["event_name"] == "app.screen.view"

    @pytest.mark.parametrize("name", ["app.crash", "device.crash"])
    def test_a_crash_has_its_columns(self, gateway: GatewayUnderTest, name: str) -> None:
        found = row(gateway, name, attributes=CRASH)

        assert (found["crash_type"], found["crash_reason"]) == ("NullPointer", "no cart")
        assert (found["crash_kind"], found["crash_fatal"]) == ("exception", True)
        assert found["crash_stack"] == " at a.B.c(B:1)"
        assert found["properties"]["$crash.thread"] == {"id": "2", "name": "main"}
        assert not [key for key in found["properties"] if key.startswith(("exception", "thread"))]

    def test_a_record_with_an_exception_is_an_error(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "checkout.failed", attributes=CRASH)

        assert (found["event_type"], found["event_name"]) == ("error", "checkout.failed")
        assert (found["crash_type"], found.get("crash_fatal", False)) == ("NullPointer", False)

    def test_a_crash_told_by_a_later_version_keeps_its_own(self, gateway: GatewayUnderTest) -> None:
        older = {"service.version": "1.4.1", "os.version": "14"}
        found = row(gateway, "app.crash", attributes=older)

        assert (found["app_version"], found["os_version"]) == ("1.4.1", "14")
        assert (found["app_package"], found["device_id"]) == ("com.demo", "install-1")

    def test_a_plain_log_is_a_log(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "", body={"text": "hello"}, severityText="INFO")

        assert (found["event_type"], found["event_name"]) == ("track", "log")
        assert found["properties"]["body"] == {"text": "hello"}
        assert found["properties"]["$event.severityText"] == "INFO"

    def test_an_older_sdk_names_it_in_an_attribute(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "", attributes={"event.name": "session.start"})

        assert found["event_type"] == "session_start"
        assert "event.name" not in found["properties"]

    def test_a_name_beyond_the_limit_is_cut_and_kept_beside(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, "n" * 200)

        assert found["event_name"] == "n" * 128
        assert found["properties"]["$event.eventName"] == "n" * 200

    @pytest.mark.parametrize("content_type", BOTH)
    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (True, True),
            (2**53 + 1, 2**53 + 1),
            (-(2**63), -(2**63)),
            (0.5, 0.5),
            (b"\x00\xff", "AP8="),
            (NESTED, NESTED),
            (None, None),
            ("", ""),
        ],
    )
    def test_values_keep_their_types(
        self, gateway: GatewayUnderTest, content_type: str, value: object, kept: object
    ) -> None:
        found = row(gateway, attributes={"a": value}, content_type=content_type)

        assert found["properties"]["a"] == kept

    @pytest.mark.parametrize("content_type", BOTH)
    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_numbers_that_json_has_not_are_text(
        self, gateway: GatewayUnderTest, content_type: str, number: str
    ) -> None:
        found = row(gateway, attributes={"a": float(number)}, content_type=content_type)

        assert found["properties"]["a"] == number

    def test_a_body_beside_an_attribute_of_that_name_loses_neither(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, attributes={"body": "attribute"}, body="body")

        assert found["properties"]["body"] == "attribute"
        assert found["properties"]["$event.body"] == "body"

    def test_trace_ids_are_kept(self, gateway: GatewayUnderTest) -> None:
        one = record(traceId="5b8aa5a2d2c872e8321cf37308d69df2", spanId="051581bf3cb55c13")
        send(gateway, resource_logs(one), content_type=JSON)

        properties = gateway.rows()[-1]["properties"]
        assert properties["$event.traceId"] == "5b8aa5a2d2c872e8321cf37308d69df2"
        assert properties["$event.spanId"] == "051581bf3cb55c13"


class TestDevice:
    @pytest.mark.parametrize(
        ("resource", "attributes", "device"),
        [
            ({"app.installation.id": "i", "device.id": "d", "service.instance.id": "s"}, {}, "i"),
            ({"device.id": "d", "service.instance.id": "s"}, {}, "d"),
            ({"service.instance.id": "s"}, {}, "s"),
            ({"app.installation.id": "i"}, {"device.id": "d"}, "i"),
            ({"service.instance.id": "s"}, {"app.installation.id": "i"}, "i"),
            ({}, {"device.id": "d"}, "d"),
        ],
    )
    def test_is_the_install_else_the_device_else_the_process(
        self, gateway: GatewayUnderTest, resource: Any, attributes: Any, device: str
    ) -> None:
        assert row(gateway, resource=resource, attributes=attributes)["device_id"] == device

    def test_the_ids_that_are_not_taken_are_kept(self, gateway: GatewayUnderTest) -> None:
        resource = {**RESOURCE, "device.id": "d"}

        assert row(gateway, resource=resource)["properties"]["$context.device.id"] == "d"

    def test_without_one_a_record_is_rejected(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, resource_logs(record(), resource={})).status_code == 200
        assert codes(gateway) == ["missing_field"]

    @pytest.mark.parametrize(
        ("resource", "attributes", "user"),
        [
            ({}, {"user.id": "u", "enduser.id": "e"}, "u"),
            ({}, {"enduser.id": "e"}, "e"),
            ({"user.id": "r"}, {}, "r"),
            ({"user.id": "r"}, {"enduser.id": "e"}, "e"),
        ],
    )
    def test_the_user_is_the_record_s_else_the_resource_s(
        self, gateway: GatewayUnderTest, resource: Any, attributes: Any, user: str
    ) -> None:
        found = row(gateway, resource={**RESOURCE, **resource}, attributes=attributes)

        assert found["user_id"] == user

    def test_each_resource_of_a_collector_is_a_device_of_its_own(
        self, gateway: GatewayUnderTest
    ) -> None:
        first = {"device.id": "d-1", "service.name": "one", "zone": "a"}
        second = {"device.id": "d-2"}
        third: dict[str, str] = {}
        answer = send(
            gateway,
            resource_logs(record(), record("b", timeUnixNano=None), resource=first),
            resource_logs(record(), resource=second),
            resource_logs(record(), resource=third),
        )

        assert answer.status_code == 200
        rows = gateway.rows()
        assert [(one["device_id"], one.get("app_package")) for one in rows] == [
            ("d-1", "one"), ("d-2", None),
        ]  # fmt: skip
        assert rows[0]["properties"]["$context.zone"] == "a"
        assert "$context.zone" not in rows[1]["properties"]
        letters = gateway.publisher.of("app-events-dead")
        assert [dict(one.headers)["position"] for one in letters] == [b"1", b"3"]


class TestIds:
    def test_a_crash_has_its_own(self, gateway: GatewayUnderTest) -> None:
        ids = {"app.crash.id": "6be1b52c-70cf-45cb-b300-a21bac0ab241", "log.record.uid": "uid-1"}

        found = row(gateway, "app.crash", attributes=ids)
        assert found["event_id"] == ids["app.crash.id"]
        assert found["properties"]["log.record.uid"] == "uid-1"
        assert row(gateway, "session.end", attributes=ids)["source_event_id"] == "uid-1"

    def test_a_copy_sent_again_has_the_same(self, gateway: GatewayUnderTest) -> None:
        rows = [row(gateway, content_type=content_type) for content_type in (*BOTH, *BOTH)]
        different = [
            row(gateway, timeUnixNano=str(TIME + 1)),
            row(gateway, body="x"),
            row(gateway, attributes={"a": 1}),
            row(gateway, severityNumber=9),
            row(gateway, resource={"device.id": "another"}),
        ]

        assert len({one["event_id"] for one in rows}) == 1
        assert len({one["event_id"] for one in [*rows, *different]}) == 1 + len(different)

    @pytest.mark.parametrize("name", ["user.id", "session.id", "log.record.uid"])
    def test_one_that_is_too_long_rejects_its_record(
        self, gateway: GatewayUnderTest, name: str
    ) -> None:
        send(gateway, resource_logs(record(attributes={name: "x" * 201}), record()))

        assert codes(gateway) == ["id_too_long"]
        assert len(gateway.rows()) == 1


class TestTime:
    @pytest.mark.parametrize("content_type", BOTH)
    def test_is_the_event_s_else_when_it_was_observed(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        for time in (None, "0"):
            found = row(
                gateway, timeUnixNano=time, observedTimeUnixNano=str(TIME),
                content_type=content_type,
            )  # fmt: skip
            assert found["occurred_at"] == "2026-11-24T05:19:58Z"

    def test_without_one_a_record_is_rejected(self, gateway: GatewayUnderTest) -> None:
        send(gateway, resource_logs(record(timeUnixNano=None)))

        assert codes(gateway) == ["missing_field"]

    def test_one_that_is_none_is_kept_as_it_came(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, timeUnixNano="yesterday", content_type=JSON)

        assert found["time_quality"] == "invalid"
        assert found["properties"]["$timestamp"] == "yesterday"


class TestLooseJson:
    def test_what_is_no_attribute_value_is_taken_as_it_is(self, gateway: GatewayUnderTest) -> None:
        one = record()
        one["attributes"] = [
            {"key": "a", "value": "text"}, {"key": "b", "value": {"x": 1, "y": [2]}},
            {"key": "c", "value": {"intValue": 7}}, {"key": "d", "value": {"intValue": "many"}},
            {"key": "e", "value": {"doubleValue": "1.5"}}, {"key": "f"}, {"value": 1},
        ]  # fmt: skip
        send(gateway, resource_logs(one), content_type=JSON)

        properties = gateway.rows()[-1]["properties"]
        expected = {
            "a": "text", "b": {"x": 1, "y": [2]}, "c": 7, "d": "many", "e": 1.5, "f": None, "": 1,
        }  # fmt: skip
        assert properties | expected == properties

    def test_unknown_keys_are_properties(self, gateway: GatewayUnderTest) -> None:
        one = {**record(), "attributes": {"a": 1}, "shiny": [1]}
        send(gateway, resource_logs(one), content_type=JSON)

        properties = gateway.rows()[-1]["properties"]
        assert properties["$event.attributes"] == {"a": 1}
        assert properties["$event.shiny"] == [1]

    def test_a_record_that_is_no_object_costs_only_itself(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, resource_logs(7, record(), {}, None), content_type=JSON)

        assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "3"
        assert codes(gateway) == ["invalid_json"] * 3
        assert len(gateway.rows()) == 1

    def test_nan_and_a_cut_emoji_cost_nothing_else(self, gateway: GatewayUnderTest) -> None:
        text = json.dumps(
            {"resourceLogs": [resource_logs(record(attributes={"a": "?", "b": 0.5}))]}
        )
        body = text.replace('"?"', '"\\ud83d"').replace("0.5", "NaN").encode()
        answer = gateway.post(body, "/v1/logs")

        assert answer.status_code == 200
        properties = gateway.rows()[-1]["properties"]
        assert (properties["a"], properties["b"]) == ("?", None)
