"""PostHog's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.posthog import PostHogProtocol
from gateway.protocols.protocol import Head
from tests.gateway_app import APP, KEY, GatewayUnderTest

UUID = "019ab0c0-4c1e-7a10-8a54-1f2f3c4d5e6f"
SESSION = "019ab0c0-4c1e-7000-8000-000000000001"
SENT_AT = "2026-11-24T05:20:00.000Z"  # when the gateway's clock says it arrived
V1 = "/i/v1/analytics/events"
CONTEXT = {
    "$app_namespace": "com.demo",
    "$app_name": "Demo",
    "$app_version": "1.4.2",
    "$app_build": 142,
    "$os_name": "Android",
    "$os_version": "15",
    "$device_manufacturer": "Google",
    "$device_model": "Pixel 8",
    "$device_type": "Mobile",
    "$locale": "en-US",
    "$timezone": "Europe/Berlin",
    "$network_wifi": True,
    "$network_cellular": False,
    "$network_carrier": "T-Mobile",
    "$lib": "posthog-android",
    "$lib_version": "3.26.0",
    "$session_id": SESSION,
    "$device_id": "install-1",
}


def event(**changes: Any) -> dict[str, Any]:
    """An event as posthog-android writes it; `properties` are added to its context."""
    properties = changes.pop("properties", {})
    values = {
        "event": "order completed",
        "distinct_id": "install-1",
        "uuid": UUID,
        "timestamp": "2026-11-24T05:19:58.000Z",
        "properties": {**CONTEXT, **properties} if isinstance(properties, dict) else properties,
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def send(gateway: GatewayUnderTest, *events: Any, path: str = "/batch", **more: Any) -> Any:
    body = {"api_key": KEY, "batch": list(events), "sent_at": SENT_AT, **more}
    return gateway.post(body, path=path, authorization="")


def send_v1(gateway: GatewayUnderTest, *events: Any, **headers: str) -> Any:
    stamp = {"posthog_request_timestamp": SENT_AT, "posthog_sdk_info": "posthog-python/7.91.1"}
    return gateway.post({"batch": list(events)}, path=V1, **{**stamp, **headers})


def row(gateway: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    """The record of one event."""
    assert send(gateway, event(**changes)).status_code == 200
    return gateway.rows()[-1]


class TestEvent:
    def test_becomes_the_columns_of_an_event(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, properties={"price": 9.99})

        assert (
            found
            | {
                "event_id": UUID,
                "event_type": "track",
                "event_name": "order completed",
                "app_id": APP,
                "protocol": "posthog",
                "device_id": "install-1",
                "session_id": SESSION,
                "app_package": "com.demo",
                "app_version": "1.4.2",
                "app_build": "142",
                "os_name": "Android",
                "os_version": "15",
                "device_manufacturer": "Google",
                "device_model": "Pixel 8",
                "device_type": "Mobile",
                "locale": "en-US",
                "timezone": "Europe/Berlin",
                "network_type": "wifi",
                "carrier": "T-Mobile",
                "sdk_name": "posthog-android",
                "sdk_version": "3.26.0",
                "time_quality": "as_sent",
            }
            == found
        )
        assert found["properties"] == {"price": 9.99}
        assert "user_id" not in found

    @pytest.mark.parametrize(
        ("name", "event_type"),
        [
            ("Application Opened", "app_open"),
            ("application opened", "app_open"),
            ("Application Became Active", "app_open"),
            ("Application Backgrounded", "app_close"),
            ("Application Installed", "app_install"),
            ("Application Updated", "app_update"),
            ("$identify", "identify"),
            ("$set", "identify"),
            ("$exception", "error"),
            ("$pageview", "track"),
        ],
    )
    def test_lifecycle_events_are_ours(
        self, gateway: GatewayUnderTest, name: str, event_type: str
    ) -> None:
        assert row(gateway, event=name)["event_type"] == event_type

    def test_a_screen_has_its_name(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, event="$screen", properties={"$screen_name": "Home"})
        unnamed = row(gateway, event="$screen")

        assert (found["event_type"], found["event_name"]) == ("screen", "Home")
        assert unnamed["event_name"] == "$screen"

    def test_react_native_s_return_says_so(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, event="Application Became Active")["properties"] == {
            "from_background": True
        }

    def test_what_is_no_event_of_ours_is_counted(self, gateway: GatewayUnderTest) -> None:
        names = ("$feature_flag_called", "$groupidentify", "$snapshot")
        answer = send(gateway, *[event(event=name) for name in names])

        assert (answer.status_code, gateway.rows()) == (200, [])
        assert gateway.metrics.ignored.counts["posthog",] == 3

    @pytest.mark.parametrize(
        ("changes", "device", "user"),
        [
            ({}, "install-1", None),
            ({"distinct_id": "u-1"}, "install-1", None),
            ({"distinct_id": "u-1", "properties": {"$is_identified": True}}, "install-1", "u-1"),
            ({"distinct_id": "u-1", "event": "$identify"}, "install-1", "u-1"),
            (
                {
                    "distinct_id": "u-1",
                    "properties": {"$device_id": None, "$anon_distinct_id": "anon-1"},
                },
                "anon-1",
                None,
            ),
            ({"distinct_id": "u-1", "properties": {"$device_id": ""}}, "u-1", None),
            (
                {
                    "distinct_id": None,
                    "properties": {"$device_id": None, "distinct_id": "web-1"},
                },
                "web-1",
                None,
            ),
            ({"distinct_id": 7, "properties": {"$device_id": None}}, "7", None),
        ],
    )
    def test_the_device_is_the_install_else_who_is_told(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], device: str, user: str | None
    ) -> None:
        found = row(gateway, **changes)

        assert (found["device_id"], found.get("user_id")) == (device, user)

    def test_an_id_without_a_place_is_kept(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, distinct_id="u-1")["properties"] == {"$event.distinct_id": "u-1"}

    def test_person_properties_lie_among_the_others(self, gateway: GatewayUnderTest) -> None:
        plan, once = {"plan": "pro"}, {"first": 1}
        found = row(gateway, **{"event": "$set", "$set": plan, "$set_once": once, "properties": {}})
        both = row(gateway, **{"$set": plan, "properties": {"$set": once}})

        assert found["properties"] == {"$set": plan, "$set_once": once}
        assert both["properties"] == {"$set": once, "$event.$set": plan}

    def test_unknown_keys_are_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, options={"cookieless_mode": True}, window_id="w", extra={})

        assert found["properties"] == {
            "$event.options": {"cookieless_mode": True},
            "$event.window_id": "w",
        }

    def test_a_context_key_that_is_no_text_stays_a_property(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, properties={"$app_version": {"a": 1}, "$locale": True})

        assert found["properties"] == {"$app_version": {"a": 1}, "$locale": True}
        assert "app_version" not in found

    def test_properties_that_are_none_are_kept_too(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, properties=[1])["properties"] == {"$event.properties": [1]}

    def test_a_browser_s_system_is_the_system(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, properties={"$os": "Mac OS X", "$os_name": None})

        assert found["os_name"] == "Mac OS X"

    def test_older_server_sdks_name_themselves_beside_the_properties(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(
            gateway,
            library="posthog-node",
            library_version="3.1.0",
            type="capture",
            properties={"$lib": None},
        )

        assert (found["sdk_name"], found["sdk_version"]) == ("posthog-node", "3.1.0")

    def test_without_a_uuid_the_insert_id_else_the_content_is_the_id(
        self, gateway: GatewayUnderTest
    ) -> None:
        inserted = row(gateway, uuid=None, properties={"$insert_id": "i-1"})
        first, again = row(gateway, uuid=None), row(gateway, uuid=None)
        other = row(gateway, uuid=None, event="other")

        assert inserted["source_event_id"] == "i-1"
        assert first["event_id"] == again["event_id"] != other["event_id"]

    def test_a_single_event_sent_again_later_has_the_same_id(
        self, gateway: GatewayUnderTest
    ) -> None:
        for sent_at in (SENT_AT, "2026-11-24T05:21:00.000Z"):
            body = {**event(uuid=None), "api_key": KEY, "sent_at": sent_at}
            gateway.post(body, "/capture", authorization="")

        first, again = gateway.rows()
        assert first["event_id"] == again["event_id"]

    def test_a_long_name_is_cut_and_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, event="x" * 200)

        assert found["event_name"] == "x" * 128
        assert found["properties"] == {"$event.name": "x" * 200}


class TestClock:
    def test_a_wrong_one_is_corrected(self, gateway: GatewayUnderTest) -> None:
        wrong = event(timestamp="2026-11-24T02:19:50.000Z")
        send(gateway, wrong, sent_at="2026-11-24T02:20:00.000Z")

        found = gateway.rows()[-1]
        assert found["time_quality"] == "corrected"
        assert found["ts"].startswith("2026-11-24T05:19:50")
        assert found["occurred_at"].startswith("2026-11-24T02:19:50")

    def test_v1_says_in_its_head_when_it_was_sent(self, gateway: GatewayUnderTest) -> None:
        stamp = "2026-11-24T02:20:00.000Z"
        send_v1(gateway, event(), posthog_request_timestamp=stamp)

        assert gateway.rows()[-1]["sent_at"] == "2026-11-24T02:20:00Z"

    def test_browsers_say_how_long_ago(self, gateway: GatewayUnderTest) -> None:
        body = [{**event(timestamp=None, offset=3000), "api_key": KEY}]
        gateway.post(body, "/e?ip=0&_=1795497600000&ver=1.3", authorization="")

        assert gateway.rows()[-1]["ts"].startswith("2026-11-24T05:19:57")

    @pytest.mark.parametrize("when", [{"$time": 1795497598.0}, {"$time": "1795497598"}])
    def test_the_time_may_lie_in_the_properties(
        self, gateway: GatewayUnderTest, when: dict[str, Any]
    ) -> None:
        found = row(gateway, timestamp=None, properties=when)

        assert found["ts"].startswith("2026-11-24T05:19:58")

    @pytest.mark.parametrize(
        ("changes", "original"),
        [
            ({"timestamp": "yesterday"}, "yesterday"),
            ({"timestamp": None, "offset": 1e300}, 1e300),
        ],
    )
    def test_a_time_that_is_none_is_kept_as_it_came(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], original: object
    ) -> None:
        found = row(gateway, **changes)

        assert found["time_quality"] == "invalid"
        assert found["properties"]["$timestamp"] == original

    def test_without_a_time_it_is_the_time_it_was_sent(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, timestamp=None)["occurred_at"].startswith("2026-11-24T05:20:00")

    def test_without_any_time_it_is_rejected(self, gateway: GatewayUnderTest) -> None:
        send(gateway, event(timestamp=None), sent_at=None)

        assert (gateway.rows(), gateway.count("rejected")) == ([], 1)


class TestBodies:
    @pytest.mark.parametrize(
        "path", ["/batch", "/batch/", "/e/", "/i/v0/e/", "/capture/", "/posthog/batch", V1]
    )
    def test_a_batch_on_every_path(self, gateway: GatewayUnderTest, path: str) -> None:
        body = {"api_key": KEY, "batch": [event(), event(uuid="2")], "sent_at": SENT_AT}
        answer = gateway.post(body, path)

        assert answer.status_code == 200
        assert len(gateway.rows()) == 2

    @pytest.mark.parametrize(
        "body",
        [
            {**event(), "api_key": KEY},
            {**event(), "token": KEY},
            event(properties={"token": KEY}),
            [event(properties={"token": KEY})],
            [{**event(), "api_key": KEY}],
            {"token": KEY, "batch": [event()]},
            {"batch": [event(properties={"token": KEY})]},
        ],
    )
    def test_one_event_or_many_with_the_key_anywhere(
        self, gateway: GatewayUnderTest, body: Any
    ) -> None:
        answer = gateway.post(body, "/e", authorization="")

        assert (answer.status_code, answer.json()) == (200, {"status": 1})
        assert "properties" not in gateway.rows()[-1]

    def test_several_keys_in_one_post_are_several_apps(self, gateway: GatewayUnderTest) -> None:
        gateway.add_key("other", "other-key")
        keys = ("other-key", KEY, "other-key", None)
        body = [event(uuid=str(n), properties={"token": key}) for n, key in enumerate(keys)]
        answer = gateway.post(body, "/e", authorization="")

        assert answer.status_code == 200
        assert [(one["app_id"], one["source_event_id"]) for one in gateway.rows()] == [
            ("other", "0"), ("other", "2"), ("other", "3"), (APP, "1"),
        ]  # fmt: skip

    def test_an_unknown_key_among_them_costs_its_own_events(
        self, gateway: GatewayUnderTest
    ) -> None:
        body = [event(properties={"token": key}) for key in (KEY, "wrong")]

        assert gateway.post(body, "/e", authorization="").status_code == 200
        assert len(gateway.rows()) == gateway.count("rejected") == 1

    @pytest.mark.parametrize("query", ["", "?compression=gzip-js&ver=1.2"])
    def test_gzip_that_no_header_tells_of(self, gateway: GatewayUnderTest, query: str) -> None:
        body = gzip.compress(json.dumps({**event(), "api_key": KEY}).encode())
        answer = gateway.post(body, "/e/" + query, authorization="", content_type="text/plain")

        assert answer.status_code == 200

    @pytest.mark.parametrize("wraps_in_base64", [False, True])
    @pytest.mark.parametrize("is_array", [False, True])
    def test_a_form(self, gateway: GatewayUnderTest, wraps_in_base64: bool, is_array: bool) -> None:
        one = event(properties={"token": KEY, "q": "a+b&c=d é"})
        text = json.dumps([one] if is_array else one).encode()
        data = base64.b64encode(text) if wraps_in_base64 else text
        body = b"compression=base64&data=" + quote_plus(data).encode()
        answer = gateway.post(
            body, "/e", authorization="", content_type="application/x-www-form-urlencoded"
        )

        assert answer.status_code == 200
        assert gateway.rows()[-1]["properties"] == {"q": "a+b&c=d é"}

    def test_one_bad_value_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        good = json.dumps({**event(), "api_key": KEY})
        answer = gateway.post(
            f'[{good},{{"event":"x","distinct_id":"d","a":NaN,"b":"\\ud83d"}}]'.encode(),
            "/e?_=1795497600000",
            authorization="",
        )

        assert answer.status_code == 200
        assert len(gateway.rows()) == 2


class TestV1:
    def test_takes_the_key_from_the_head_and_names_the_sdk(self, gateway: GatewayUnderTest) -> None:
        one = event(session_id=SESSION, properties=dict.fromkeys(CONTEXT))
        answer = send_v1(gateway, one)

        assert (answer.status_code, answer.json()) == (200, {"results": {UUID: {"result": "ok"}}})
        found = gateway.rows()[-1]
        assert (found["sdk_name"], found["sdk_version"]) == ("posthog-python", "7.91.1")
        assert found["session_id"] == SESSION

    def test_tells_of_each_event_what_became_of_it(self, gateway: GatewayUnderTest) -> None:
        answer = send_v1(gateway, event(), event(uuid="bad", event=None))

        results = answer.json()["results"]
        assert {name: one["result"] for name, one in results.items()} == {UUID: "ok", "bad": "drop"}
        assert "`event` is missing" in results["bad"]["details"]
        assert len(gateway.rows()) == 1

    @pytest.mark.parametrize("authorization", ["", "Bearer", "Basic eDp5", "Bearer wrong"])
    def test_a_missing_or_wrong_key_is_401(
        self, gateway: GatewayUnderTest, authorization: str
    ) -> None:
        assert send_v1(gateway, event(), authorization=authorization).status_code == 401

    @pytest.mark.parametrize(("encoding"), ["gzip", "deflate"])
    def test_compressed_as_its_head_says(self, gateway: GatewayUnderTest, encoding: str) -> None:
        text = json.dumps({"batch": [event()]}).encode()
        body = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)

        assert gateway.post(body, V1, content_encoding=encoding).status_code == 200


class TestStubs:
    @pytest.mark.parametrize("path", ["/flags/?v=2", "/decide/?v=3", "/posthog/flags"])
    def test_there_are_no_flags(self, gateway: GatewayUnderTest, path: str) -> None:
        answer = gateway.post({"token": "any"}, path)

        assert answer.status_code == 200
        body = answer.json()
        assert (body["flags"], body["featureFlags"]) == ({}, {})
        assert body["errorsWhileComputingFlags"] is False

    def test_the_remote_config_asks_for_crashes_alone(self, gateway: GatewayUnderTest) -> None:
        answer = gateway.http.get(f"/array/{KEY}/config")

        body = answer.json()
        assert (answer.status_code, body["token"]) == (200, KEY)
        assert (body["hasFeatureFlags"], body["sessionRecording"]) == (False, False)
        assert body["errorTracking"]["autocaptureExceptions"] is True


class TestBad:
    def test_one_bad_event_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        many = {f"p{n}": n for n in range(256)}
        answer = send(
            gateway, event(event=None), 7, event(), event(uuid="x" * 201),
            event(distinct_id="x" * 201), event(properties=many),
            event(distinct_id=None, properties={"$device_id": None}),
            event(properties={"$device_id": "x" * 201}),
        )  # fmt: skip

        assert (answer.status_code, answer.json()) == (200, {"status": 1})
        assert len(gateway.rows()) == 1
        letters = gateway.publisher.of("app-events-dead")
        assert [dict(one.headers)["code"] for one in letters] == [
            b"missing_field", b"invalid_json", b"id_too_long", b"id_too_long",
            b"too_many_properties", b"missing_field", b"id_too_long",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "empty_body"),
            (b"{", "invalid_json"),
            (b"[{]", "invalid_json"),
            (b"\xff\xfe", "invalid_json"),
            (b"data=!!!", "invalid_json"),
            (b"x=1&mydata=2", "missing_field"),
            (b"data=" + b"&" * 40, "invalid_field"),
            (b"{}", "missing_field"),
            (b'{"batch":{}}', "missing_field"),
            (b"[" * 50_000, "too_deep"),
        ],
    )
    def test_an_unreadable_body_is_400(
        self, gateway: GatewayUnderTest, body: bytes, code: str
    ) -> None:
        answer = gateway.post(body, "/batch", authorization="")

        assert (answer.status_code, answer.json()["code"]) == (400, code)

    @pytest.mark.parametrize("nested", ["$app_version", "$exception_list", "distinct_id", "other"])
    def test_a_depth_at_the_limit_is_taken_or_refused(
        self, gateway: GatewayUnderTest, nested: str
    ) -> None:
        for depth in range(960, 1000):
            deep = "[" * depth + "]" * depth
            text = json.dumps(event(event="$exception", properties={nested: "DEEP"}))
            body = (
                f'{{"api_key":"{KEY}","batch":[{text.replace(chr(34) + "DEEP" + chr(34), deep)}]}}'
            )
            assert gateway.post(body.encode(), "/batch").status_code in (200, 400)

        assert gateway.metrics.bugs._value.get() == 0

    def test_too_many_events_are_413(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, *[{}] * 1_001).status_code == 413

    def test_a_body_too_large_is_413(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, event(properties={"x": "y" * 5_000_000})).status_code == 413

    def test_an_unknown_encoding_is_400(self, gateway: GatewayUnderTest) -> None:
        assert gateway.post(b"x", "/batch", content_encoding="br").status_code == 400

    @pytest.mark.parametrize("path", ["/batch", "/e", "/i/v0/e", "/capture"])
    def test_no_key_or_a_wrong_one_is_401(self, gateway: GatewayUnderTest, path: str) -> None:
        assert gateway.post({"batch": [event()]}, path).status_code == 401
        assert send(gateway, event(), path=path, api_key="wrong").status_code == 401

    def test_a_wrong_method_is_405(self, gateway: GatewayUnderTest) -> None:
        assert gateway.http.get("/batch").status_code == 405

    def test_an_empty_batch_is_fine(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway).status_code == 200
        assert send(gateway, api_key="wrong").status_code == 401

    @pytest.mark.parametrize("path", ["/batch", V1])
    def test_what_is_not_kept_is_429_with_a_whole_retry_after(
        self, gateway: GatewayUnderTest, path: str
    ) -> None:
        gateway.publisher.fail_next = 1
        answer = gateway.post({"api_key": KEY, "batch": [event()]}, path)

        assert answer.status_code == 429
        assert 5 <= int(answer.headers["retry-after"]) <= 300

    def test_more_than_its_part_is_429(self, tmp_path: Path) -> None:
        gateway = GatewayUnderTest(tmp_path, device_requests_per_second=0.01)
        with gateway.http:
            first, second = send(gateway, event()), send(gateway, event(uuid="2"))

        assert (first.status_code, second.status_code) == (200, 429)
        assert int(second.headers["retry-after"]) >= 5

    def test_a_body_that_came_too_slowly_is_408(self) -> None:
        head = Head("POST", "/batch", b"", {})
        slow = Refused(RefusalCode.BODY_TIMEOUT, "too slow")

        assert PostHogProtocol().refuse(head, slow).status == 408

    def test_an_error_of_ours_is_503(self, gateway: GatewayUnderTest) -> None:
        del gateway.publisher.records
        answer = send(gateway, event())

        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 5
