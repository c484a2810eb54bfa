"""Amplitude's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.amplitude import AmplitudeProtocol
from gateway.protocols.protocol import Head
from tests.gateway_app import APP, KEY, GatewayUnderTest

INSERT_ID = "6be1b52c-70cf-45cb-b300-a21bac0ab241"
SENT_AT = "2026-11-24T05:20:00.000Z"  # when the gateway's clock says it arrived
TIME_MS = 1795497598000  # two seconds before


def event(**changes: Any) -> dict[str, Any]:
    """An event as the React Native SDK writes it."""
    values = {
        "event_type": "Order Completed",
        "insert_id": INSERT_ID,
        "event_id": 7,
        "time": TIME_MS,
        "device_id": "install-1",
        "user_id": "user-1",
        "session_id": 1795497500000,
        "app_version": "1.4.2",
        "platform": "Android",
        "os_name": "android",
        "os_version": "15",
        "device_manufacturer": "Google",
        "device_model": "Pixel 8",
        "language": "en",
        "country": "US",
        "carrier": "T-Mobile",
        "ip": "$remote",
        "adid": "ad-1",
        "library": "amplitude-react-native-ts/1.10.0",
        "event_properties": {"price": 9.99},
        "user_properties": {},
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def send(gateway: GatewayUnderTest, *events: Any, path: str = "/2/httpapi", **more: Any) -> Any:
    body = {"api_key": KEY, "events": list(events), "client_upload_time": SENT_AT, **more}
    return gateway.post(
        {name: value for name, value in body.items() if value is not None},
        path=path,
        authorization="",
    )


def row(gateway: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    """The record of one event."""
    assert send(gateway, event(**changes)).status_code == 200
    return gateway.rows()[-1]


def old(gateway: GatewayUnderTest, path: str = "/", **fields: str) -> Any:
    """A POST as the SDKs before `/2/httpapi` make it."""
    base = {"v": "2", "client": KEY, "upload_time": "1795497600000"}
    return gateway.post(urlencode({**base, **fields}).encode(), path=path, authorization="")


class TestEvent:
    def test_becomes_the_columns_of_an_event(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway)

        assert (
            found
            | {
                "event_id": INSERT_ID,
                "event_type": "track",
                "event_name": "Order Completed",
                "app_id": APP,
                "protocol": "amplitude",
                "device_id": "install-1",
                "user_id": "user-1",
                "sequence": 7,
                "app_version": "1.4.2",
                "os_name": "android",
                "os_version": "15",
                "device_manufacturer": "Google",
                "device_model": "Pixel 8",
                "locale": "en-US",
                "country": "US",
                "carrier": "T-Mobile",
                "sdk_name": "amplitude-react-native-ts",
                "sdk_version": "1.10.0",
                "time_quality": "as_sent",
            }
            == found
        )
        assert UUID(found["session_id"]).version == 5
        assert found["ts"].startswith("2026-11-24T05:19:58")

    def test_what_has_no_column_is_a_property(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, user_properties={"plan": "pro"}, plan={"branch": "main"})

        assert found["properties"] == {
            "price": 9.99,
            "$event.adid": "ad-1",
            "$event.plan": {"branch": "main"},
            "$event.platform": "Android",
            "$event.user_properties": {"plan": "pro"},
        }

    @pytest.mark.parametrize(
        ("name", "event_type"),
        [
            ("session_start", "session_start"),
            ("session_end", "session_end"),
            ("[Amplitude] Application Opened", "app_open"),
            ("[amplitude] application opened", "app_open"),
            ("[Amplitude] Application Backgrounded", "app_close"),
            ("[Amplitude] Application Installed", "app_install"),
            ("[Amplitude] Application Updated", "app_update"),
            ("Application Opened", "track"),
        ],
    )
    def test_lifecycle_events_are_ours(
        self, gateway: GatewayUnderTest, name: str, event_type: str
    ) -> None:
        assert row(gateway, event_type=name)["event_type"] == event_type

    def test_its_own_events_lose_their_mark(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, event_type="[Amplitude] Deep Link Opened")["event_name"] == (
            "Deep Link Opened"
        )

    def test_a_screen_has_its_name(self, gateway: GatewayUnderTest) -> None:
        viewed = {"event_type": "[Amplitude] Screen Viewed"}
        named = row(gateway, **viewed, event_properties={"[Amplitude] Screen Name": "Cart"})
        unnamed = row(gateway, **viewed)

        assert (named["event_type"], named["event_name"]) == ("screen", "Cart")
        assert (unnamed["event_type"], unnamed["event_name"]) == ("screen", "Screen Viewed")

    def test_an_identify_keeps_its_operations(self, gateway: GatewayUnderTest) -> None:
        operations = {"$set": {"plan": "pro"}, "$add": {"visits": 1}}
        found = row(gateway, event_type="$identify", user_properties=operations)

        assert found["event_type"] == "identify"
        assert found["properties"].items() >= operations.items()
        assert found["properties"]["$event.event_properties"] == {"price": 9.99}

    def test_what_tells_of_a_group_is_only_counted(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(event_type="$groupidentify"), event())

        assert answer.json()["events_ingested"] == 1
        assert len(gateway.rows()) == 1
        assert gateway.metrics.ignored.counts["amplitude",] == 1

    @pytest.mark.parametrize("session_id", [-1, "-1", None])
    def test_minus_one_is_no_session(self, gateway: GatewayUnderTest, session_id: Any) -> None:
        assert not row(gateway, session_id=session_id).get("session_id")

    def test_a_session_is_the_same_however_its_number_is_written(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = [row(gateway, session_id=value) for value in (1795497500000, 1795497500000.0)]

        assert found[0]["session_id"] == found[1]["session_id"]

    @pytest.mark.parametrize(
        ("changes", "sequence"),
        [({}, 7), ({"sequence_number": 3}, 3), ({"event_id": -1}, 0), ({"event_id": True}, 0)],
    )
    def test_the_sequence_is_the_count_over_all_kinds_of_events(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], sequence: int
    ) -> None:
        assert row(gateway, **changes).get("sequence", 0) == sequence

    def test_without_an_insert_id_device_number_and_time_are_its_id(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, insert_id=None)

        assert found["source_event_id"] == f"install-1:7:{TIME_MS}"

    def test_without_any_id_a_copy_has_the_same_one(self, gateway: GatewayUnderTest) -> None:
        plain = event(insert_id=None, event_id=None, time=None)
        send(gateway, plain)
        send(gateway, plain, client_upload_time="2026-11-24T05:19:00Z")
        send(gateway, plain | {"event_type": "Other"})

        first, again, other = (one["event_id"] for one in gateway.rows())
        assert first == again != other

    def test_without_a_device_the_user_stands_for_it(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, device_id=None)["device_id"] == "user-1"

    def test_without_a_time_it_happened_when_it_was_sent(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, time=None)["occurred_at"].startswith("2026-11-24T05:20:00")

    def test_a_time_that_is_none_is_kept_beside(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, time="yesterday")

        assert (found["time_quality"], found["properties"]["$timestamp"]) == (
            "invalid", "yesterday",
        )  # fmt: skip

    def test_a_wrong_clock_is_corrected(self, gateway: GatewayUnderTest) -> None:
        wrong = event(time=TIME_MS - 3 * 3600 * 1000)
        send(gateway, wrong, client_upload_time="2026-11-24T02:20:00.000Z")

        found = gateway.rows()[-1]
        assert found["time_quality"] == "corrected"
        assert found["ts"].startswith("2026-11-24T05:19:58")

    def test_without_a_sent_time_nothing_is_corrected(self, gateway: GatewayUnderTest) -> None:
        send(gateway, event(), client_upload_time=None)

        assert gateway.rows()[-1]["time_quality"] == "no_sent_at"

    @pytest.mark.parametrize(
        ("library", "name", "version"),
        [
            ("amplitude-kotlin/1.2", "amplitude-kotlin", "1.2"),
            ("amplitude", "amplitude", ""),
            ({"name": "amplitude-android", "version": "2.40.1"}, "amplitude-android", "2.40.1"),
        ],
    )
    def test_libraries_of_every_generation(
        self, gateway: GatewayUnderTest, library: Any, name: str, version: str
    ) -> None:
        found = row(gateway, library=library)

        assert (found["sdk_name"], found.get("sdk_version", "")) == (name, version)
        assert "$event.library" not in found["properties"]

    def test_a_name_that_is_too_long_is_cut_and_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, event_type="n" * 300)

        assert found["event_name"] == "n" * 128
        assert found["properties"]["$event.name"] == "n" * 300


class TestAnswer:
    @pytest.mark.parametrize(
        "path", ["/2/httpapi", "/2/httpapi/", "/batch", "/amplitude/2/httpapi", "/amplitude/batch"]
    )
    def test_the_body_says_the_status(self, gateway: GatewayUnderTest, path: str) -> None:
        answer = send(gateway, event(), event(insert_id="2"), path=path)

        assert answer.status_code == 200
        length = int(answer.request.headers["content-length"])
        assert answer.json() == {
            "code": 200,
            "events_ingested": 2,
            "payload_size_bytes": length,
            "server_upload_time": 1795497600000,
        }
        assert gateway.metrics.requests.counts == {("amplitude", "200"): 1}

    def test_a_compressed_body(self, gateway: GatewayUnderTest) -> None:
        body = gzip.compress(json.dumps({"api_key": KEY, "events": [event()]}).encode())
        answer = gateway.post(body, "/2/httpapi", authorization="", content_encoding="gzip")

        assert answer.json()["events_ingested"] == 1

    def test_one_bad_event_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        answer = send(
            gateway,
            event(event_type=None),
            7,
            event(),
            event(insert_id="x" * 201),
            event(device_id=None, user_id=None),
            event(event_properties={str(n): n for n in range(256)}),
        )

        assert (answer.status_code, answer.json()["code"]) == (200, 200)
        assert answer.json()["events_ingested"] == 1
        letters = gateway.publisher.of("app-events-dead")
        assert [dict(one.headers)["code"] for one in letters] == [
            b"missing_field", b"invalid_json", b"id_too_long", b"missing_field",
            b"too_many_properties",
        ]  # fmt: skip
        assert [dict(one.headers)["position"] for one in letters] == [
            b"0", b"1", b"3", b"4", b"5",
        ]  # fmt: skip

    def test_without_a_time_anywhere_an_event_is_rejected(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(time=None), client_upload_time=None)

        assert answer.json()["events_ingested"] == 0
        assert gateway.count("rejected") == 1

    def test_an_unreadable_body_that_names_its_key_is_a_dead_letter(
        self, gateway: GatewayUnderTest
    ) -> None:
        body = json.dumps({"api_key": KEY, "events": [event()]}).encode()[:-5]
        answer = gateway.post(body, "/2/httpapi", authorization="")

        assert (answer.status_code, answer.json()["code"]) == (200, 200)
        (letter,) = gateway.publisher.of("app-events-dead")
        assert letter.value == body

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"garbage", b"\xff\xfe"])
    def test_an_unreadable_body_of_nobody_ends_there(
        self, gateway: GatewayUnderTest, body: bytes
    ) -> None:
        answer = gateway.post(body, "/2/httpapi", authorization="")

        assert (answer.status_code, answer.json()["code"]) == (200, 200)
        assert answer.json()["events_ingested"] == 0

    @pytest.mark.parametrize("body", [{}, {"api_key": KEY}, {"batch": []}, {"events": {}}])
    def test_a_body_without_events_is_not_amplitude_s(self, body: dict[str, Any]) -> None:
        head = Head("POST", "/batch", b"", {})
        with pytest.raises(Refused) as refused:
            AmplitudeProtocol().decode(head, json.dumps(body).encode())

        assert refused.value.code is RefusalCode.MISSING_FIELD

    def test_too_large_is_413_which_halves_it(self, gateway: GatewayUnderTest) -> None:
        many = send(gateway, *[{}] * 2_001)
        large = gateway.post(b" " * (4 * 1024 * 1024 + 1), "/2/httpapi", authorization="")

        for answer in (many, large):
            assert (answer.status_code, answer.json()["code"]) == (413, 413)

    @pytest.mark.parametrize("key", ["wrong", "", None, 7])
    def test_a_wrong_key_is_named_as_such(self, gateway: GatewayUnderTest, key: Any) -> None:
        answer = send(gateway, event(), api_key=key)

        assert (answer.status_code, answer.json()["code"]) == (400, 400)
        assert answer.json()["error"].startswith("Invalid API key:")

    def test_what_is_not_kept_is_429(self, gateway: GatewayUnderTest) -> None:
        gateway.publisher.fail_next = 1
        answer = send(gateway, event())

        assert (answer.status_code, answer.json()["code"]) == (429, 429)
        assert 5 <= int(answer.headers["retry-after"]) <= 300

    def test_another_method(self, gateway: GatewayUnderTest) -> None:
        assert gateway.http.get("/2/httpapi").status_code == 405


class TestOldForm:
    def test_its_events_are_ours(self, gateway: GatewayUnderTest) -> None:
        sent = {
            "event_type": "[Amplitude] Application Opened",
            "uuid": INSERT_ID,
            "event_id": 2,
            "sequence_number": 9,
            "timestamp": TIME_MS,
            "device_id": "install-1",
            "session_id": -1,
            "version_name": "1.3.0",
            "library": {"name": "amplitude-android", "version": "2.40.1"},
        }
        answer = old(gateway, e=json.dumps([sent]))

        assert (answer.status_code, answer.text) == (200, "success")
        (found,) = gateway.rows()
        assert (
            found
            | {
                "event_id": INSERT_ID,
                "event_type": "app_open",
                "sequence": 9,
                "app_version": "1.3.0",
                "time_quality": "as_sent",
                "sdk_name": "amplitude-android",
            }
            == found
        )
        assert found["properties"] == {"$event.event_id": 2}

    def test_events_that_cannot_be_read_are_a_dead_letter(self, gateway: GatewayUnderTest) -> None:
        answer = old(gateway, e="[{")

        assert (answer.status_code, answer.text) == (200, "success")
        (letter,) = gateway.publisher.of("app-events-dead")
        assert letter.value == b"[{"

    def test_a_wrong_key(self, gateway: GatewayUnderTest) -> None:
        answer = old(gateway, e="[]", client="wrong")

        assert (answer.status_code, answer.text) == (400, "invalid_api_key")

    def test_without_events_it_ends_there(self, gateway: GatewayUnderTest) -> None:
        assert old(gateway).text == "success"

    def test_what_is_not_kept_comes_again(self, gateway: GatewayUnderTest) -> None:
        gateway.publisher.fail_next = 1

        assert old(gateway, e=json.dumps([event()])).status_code == 429
