"""Mixpanel's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.gateway_app import APP, KEY, GatewayUnderTest

INSERT_ID = "6be1b52c-70cf-45cb-b300-a21bac0ab241"
EVENT_ID = "3f2a1b0c9d8e7f60"
TIME = 1795497598  # two seconds before it arrives
VERBOSE = {"error": None, "status": 1}


def event(name: str = "Order Completed", /, **changes: Any) -> dict[str, Any]:
    """An event as the Android SDK writes it."""
    properties = {
        "token": KEY,
        "distinct_id": "$device:install-1",
        "$device_id": "install-1",
        "$user_id": "user-1",
        "time": TIME,
        "$os": "Android",
        "$os_version": "15",
        "$manufacturer": "Google",
        "$model": "Pixel 8",
        "$app_version_string": "1.4.2",
        "$app_build_number": 142,
        "$carrier": "T-Mobile",
        "$wifi": True,
        "mp_lib": "android",
        "$lib_version": "7.5.2",
        "price": 9.99,
    }
    properties.update(changes)
    metadata = {
        "$mp_event_id": EVENT_ID,
        "$mp_session_id": "9d8e7f60",
        "$mp_session_seq_id": 4,
        "$mp_session_start_sec": 1795497500,
    }
    given = {key: value for key, value in properties.items() if value is not None}
    return {"event": name, "properties": given, "$mp_metadata": metadata}


def timeless() -> dict[str, Any]:
    """As the Node SDK sends it, with nothing that tells it from its like."""
    found = event(time=None)
    del found["$mp_metadata"]
    return found


def send(gateway: GatewayUnderTest, *events: Any, path: str = "/track/?ip=1", **head: str) -> Any:
    """As Swift sends it: a JSON array."""
    return gateway.post(list(events), path=path, **{"authorization": "", **head})


def row(gateway: GatewayUnderTest, name: str = "Order Completed", **changes: Any) -> dict[str, Any]:
    """The record of one event."""
    assert send(gateway, event(name, **changes)).status_code == 200
    return gateway.rows()[-1]


def form(gateway: GatewayUnderTest, path: str = "/track", **fields: str) -> Any:
    return gateway.post(
        urlencode(fields).encode(),
        path=path,
        authorization="",
        content_type="application/x-www-form-urlencoded",
    )


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


class TestEvent:
    def test_becomes_the_columns_of_an_event(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway)

        assert (
            found
            | {
                "source_event_id": EVENT_ID,
                "event_type": "track",
                "event_name": "Order Completed",
                "app_id": APP,
                "protocol": "mixpanel",
                "device_id": "install-1",
                "user_id": "user-1",
                "sequence": 4,
                "app_version": "1.4.2",
                "app_build": "142",
                "os_name": "Android",
                "os_version": "15",
                "device_manufacturer": "Google",
                "device_model": "Pixel 8",
                "network_type": "wifi",
                "carrier": "T-Mobile",
                "sdk_name": "android",
                "sdk_version": "7.5.2",
                "time_quality": "no_sent_at",
            }
            == found
        )
        assert found["session_id"]
        assert found["properties"] == {
            "price": 9.99,
            "$event.$mp_metadata.$mp_session_start_sec": 1795497500,
        }

    @pytest.mark.parametrize(
        ("name", "event_type"),
        [
            ("$ae_first_open", "app_install"),
            ("$ae_updated", "app_update"),
            ("$ae_crashed", "app_crash"),
            ("$AE_CRASHED", "app_crash"),
            ("$ae_session", "app_close"),
            ("$identify", "identify"),
            ("$create_alias", "track"),
        ],
    )
    def test_lifecycle_events_are_ours(
        self, gateway: GatewayUnderTest, name: str, event_type: str
    ) -> None:
        assert row(gateway, name)["event_type"] == event_type

    def test_a_session_is_an_open_and_a_close(self, gateway: GatewayUnderTest) -> None:
        row(gateway, "$ae_session", **{"$insert_id": INSERT_ID, "$ae_session_length": 12.3})

        opened, closed = gateway.rows()
        assert (opened["event_type"], closed["event_type"]) == ("app_open", "app_close")
        assert opened["ts"].startswith("2026-11-24T05:19:45.7")
        assert closed["ts"].startswith("2026-11-24T05:19:58")
        assert closed["duration_ms"] == 12_300
        assert opened["session_id"] == closed["session_id"]
        assert [one["source_event_id"] for one in (opened, closed)] == [
            f"{INSERT_ID}:app_open", f"{INSERT_ID}:app_close",
        ]  # fmt: skip
        assert opened["properties"] == {"$event.derived_from": "$ae_session"}
        assert opened["app_version"] == "1.4.2"

    @pytest.mark.parametrize("length", [None, "long", -1, True, 1e12, "nan", [1]])
    def test_without_a_length_a_session_is_a_close(
        self, gateway: GatewayUnderTest, length: Any
    ) -> None:
        row(gateway, "$ae_session", **{"$ae_session_length": length})

        assert [one["event_type"] for one in gateway.rows()] == ["app_close"]

    def test_a_session_sent_again_has_the_same_ids(self, gateway: GatewayUnderTest) -> None:
        for _ in range(2):
            row(gateway, "$ae_session", **{"$ae_session_length": 5})

        ids = [one["event_id"] for one in gateway.rows()]
        assert ids[:2] == ids[2:]
        assert len(set(ids)) == 2

    @pytest.mark.parametrize(
        ("reason", "crash_type"),
        [("java.lang.NullPointerException: no cart", "java.lang.NullPointerException"), ("x", "")],
    )
    def test_a_crash_has_its_columns(
        self, gateway: GatewayUnderTest, reason: str, crash_type: str
    ) -> None:
        found = row(gateway, "$ae_crashed", **{"$ae_crashed_reason": reason})

        assert found["crash_reason"] == reason
        assert found.get("crash_type", "") == crash_type
        assert found["crash_fatal"]

    def test_an_identify_knows_its_user(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "$identify", **{"$user_id": None, "$identified_id": "user-9"})

        assert (found["event_type"], found["user_id"]) == ("identify", "user-9")

    @pytest.mark.parametrize(
        ("changes", "device"),
        [
            ({}, "install-1"),
            ({"$device_id": None}, "install-1"),
            ({"$device_id": None, "distinct_id": "user-1"}, "user-1"),
        ],
    )
    def test_the_device_is_the_install_else_who_it_is(
        self, gateway: GatewayUnderTest, changes: dict[str, Any], device: str
    ) -> None:
        found = row(gateway, **changes)

        assert found["device_id"] == device
        assert "distinct_id" not in found["properties"]

    def test_a_distinct_id_of_its_own_is_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, distinct_id="group-account")

        assert found["properties"]["distinct_id"] == "group-account"

    @pytest.mark.parametrize("time", [TIME, TIME * 1000, float(TIME), str(TIME)])
    def test_times_in_seconds_or_milliseconds(self, gateway: GatewayUnderTest, time: Any) -> None:
        assert row(gateway, time=time)["ts"].startswith("2026-11-24T05:19:58")

    def test_a_time_that_is_none_is_kept_beside(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, time="yesterday")

        assert (found["time_quality"], found["properties"]["$timestamp"]) == (
            "invalid", "yesterday",
        )  # fmt: skip

    def test_sessions_of_react_native_in_javascript_say_nothing(
        self, gateway: GatewayUnderTest
    ) -> None:
        first = event(mp_lib="react-native")
        first["$mp_metadata"]["$mp_session_seq_id"] = 0
        send(gateway, first)
        send(gateway, event(mp_lib="react-native"))

        javascript, native = gateway.rows()
        assert not javascript.get("session_id")
        assert javascript["properties"]["$event.$mp_metadata.$mp_session_id"] == "9d8e7f60"
        assert native["session_id"]

    def test_without_an_id_event_time_and_person_make_one(self, gateway: GatewayUnderTest) -> None:
        plain = event()
        del plain["$mp_metadata"]
        later = {**plain, "properties": {**plain["properties"], "time": TIME + 1}}
        for one in (plain, plain, later):
            send(gateway, one)

        first, again, other = (one["event_id"] for one in gateway.rows())
        assert first == again != other

    def test_a_name_that_is_too_long_is_cut_and_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "n" * 300)

        assert found["event_name"] == "n" * 128
        assert found["properties"]["$event.name"] == "n" * 300


class TestProfiles:
    def test_a_change_of_a_profile_is_an_identify(self, gateway: GatewayUnderTest) -> None:
        change = {
            "$token": KEY,
            "$time": TIME * 1000,
            "$distinct_id": "user-1",
            "$device_id": "install-1",
            "$set": {"plan": "pro"},
            "$mp_metadata": {"$mp_event_id": EVENT_ID},
        }
        assert send(gateway, change, path="/engage/").text == "1"

        (found,) = gateway.rows()
        assert (
            found
            | {
                "event_type": "identify",
                "device_id": "install-1",
                "user_id": "user-1",
                "source_event_id": EVENT_ID,
            }
            == found
        )
        assert found["properties"] == {"$set": {"plan": "pro"}}

    def test_groups_are_only_counted(self, gateway: GatewayUnderTest) -> None:
        group = {"$token": KEY, "$group_key": "company", "$group_id": "acme", "$set": {"size": 9}}

        assert send(gateway, group, group, path="/groups/").text == "1"
        assert gateway.rows() == []
        assert gateway.metrics.ignored.counts["mixpanel",] == 2


class TestBodies:
    def test_a_json_array_or_one_object(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, event(), event()).text == "1"
        assert gateway.post(event(), "/track", authorization="").text == "1"
        assert gateway.post(b"\xef\xbb\xbf " + json.dumps([event()]).encode(), "/track").text == "1"
        assert len(gateway.rows()) == 3
        assert gateway.count("duplicate") == 1

    def test_a_form_with_json(self, gateway: GatewayUnderTest) -> None:
        assert form(gateway, data=json.dumps([event(price="1+1 = 2 & more")])).text == "1"
        assert gateway.rows()[0]["properties"]["price"] == "1+1 = 2 & more"

    @pytest.mark.parametrize("escaped", [True, False])
    def test_a_form_with_base64(self, gateway: GatewayUnderTest, *, escaped: bool) -> None:
        text = json.dumps([event(note="\u00fb\u00ff~~~>>>???")], ensure_ascii=False).encode()
        data = base64.b64encode(text).decode()
        body = "data=" + (quote(data, safe="") if escaped else data)
        answer = gateway.post(body.encode(), "/track", authorization="")

        assert answer.text == "1"
        assert gateway.rows()[0]["properties"]["note"] == "\u00fb\u00ff~~~>>>???"

    def test_a_compressed_form(self, gateway: GatewayUnderTest) -> None:
        body = gzip.compress(urlencode({"data": json.dumps([event()])}).encode())

        assert gateway.post(body, "/track", authorization="").text == "1"
        assert len(gateway.rows()) == 1

    def test_one_event_in_the_query_of_a_get(self, gateway: GatewayUnderTest) -> None:
        data = base64.b64encode(json.dumps(event()).encode()).decode()
        answer = gateway.http.get(f"/track?ip=0&verbose=1&data={quote(data)}")

        assert (answer.status_code, answer.json()) == (200, VERBOSE)
        assert len(gateway.rows()) == 1

    @pytest.mark.parametrize("path", ["/mixpanel/track", "/track/", "/import?strict=1"])
    def test_paths(self, gateway: GatewayUnderTest, path: str) -> None:
        assert send(gateway, event(), path=path).status_code == 200
        assert len(gateway.rows()) == 1


class TestImport:
    def test_its_answer_counts(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(), path="/import?strict=1", authorization=basic("secret"))

        assert answer.json() == {"code": 200, "status": "OK", "num_records_imported": 1}

    def test_objects_line_by_line(self, gateway: GatewayUnderTest) -> None:
        lines = [json.dumps(event()), "", "{broken", json.dumps(event(**{"$insert_id": INSERT_ID}))]
        answer = gateway.post("\n".join(lines).encode(), "/import", authorization="")

        assert (answer.status_code, len(gateway.rows())) == (200, 2)
        assert gateway.count("rejected") == 1
        assert [one["index"] for one in answer.json()["failed_records"]] == [1]

    def test_events_without_a_token_are_of_who_signs(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(token=None), path="/import", authorization=basic(KEY))

        assert answer.json()["num_records_imported"] == 1

    def test_a_failed_record_is_told(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(), event(time=None), path="/import")

        assert answer.status_code == 200
        (failed,) = answer.json()["failed_records"]
        assert (failed["index"], failed["field"]) == (1, "missing_field")


class TestAnswer:
    @pytest.mark.parametrize("path", ["/track", "/engage/", "/import"])
    def test_the_query_asks_for_a_verbose_one(self, gateway: GatewayUnderTest, path: str) -> None:
        assert send(gateway, event(), path=f"{path}?ip=0&verbose=1").json() == VERBOSE

    @pytest.mark.parametrize("path", ["/track", "/engage", "/groups", "/import"])
    def test_a_form_asks_for_a_verbose_one(self, gateway: GatewayUnderTest, path: str) -> None:
        answer = form(gateway, path, data=json.dumps(event()), verbose="1", ip="0")

        assert (answer.status_code, answer.json()) == (200, VERBOSE)

    def test_one_bad_event_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        answer = send(
            gateway,
            event(""),
            7,
            event(),
            event(**{"$insert_id": "x" * 201}),
            event(distinct_id=None, **{"$device_id": None}),
            event(token=None),
            event(**{str(n): n for n in range(256)}),
        )

        assert (answer.status_code, answer.text) == (200, "1")
        assert len(gateway.rows()) == 1
        letters = [dict(one.headers) for one in gateway.publisher.of("app-events-dead")]
        assert [(one["position"], one["code"]) for one in letters] == [
            (b"0", b"missing_field"),
            (b"1", b"invalid_json"),
            (b"3", b"id_too_long"),
            (b"4", b"missing_field"),
            (b"5", b"missing_field"),
            (b"6", b"too_many_properties"),
        ]

    def test_without_a_time_equal_events_are_as_many_as_came(
        self, gateway: GatewayUnderTest
    ) -> None:
        for _ in range(2):
            send(gateway, *[timeless()] * 2)

        rows = gateway.rows()
        assert len({one["event_id"] for one in rows}) == 4
        assert {one["time_quality"] for one in rows} == {"invalid"}
        assert {one["ts"] for one in rows} == {one["received_at"] for one in rows}

    def test_a_balancer_that_repeats_one_says_so_by_its_request_id(
        self, gateway: GatewayUnderTest
    ) -> None:
        body = json.dumps([timeless()] * 2).encode()
        for _ in range(2):
            gateway.post(body, "/track", x_request_id="r-1")

        assert len({one["event_id"] for one in gateway.rows()}) == 2

    def test_each_token_has_its_app(self, gateway: GatewayUnderTest) -> None:
        gateway.add_key("other", "other-key")
        send(gateway, event(), event(token="other-key", time=TIME + 1), event(price=1), 7)

        assert [one["app_id"] for one in gateway.rows()] == [APP, "other"]
        assert gateway.count("duplicate") == 1
        (letter,) = gateway.publisher.of("app-events-dead")
        assert dict(letter.headers)["position"] == b"3"

    def test_an_unreadable_body_that_names_its_token_is_a_dead_letter(
        self, gateway: GatewayUnderTest
    ) -> None:
        body = json.dumps([event()]).encode()[:-5]
        answer = form(gateway, data=base64.b64encode(body).decode(), verbose="1")

        assert (answer.status_code, answer.json()) == (200, VERBOSE)
        (letter,) = gateway.publisher.of("app-events-dead")
        assert letter.value == body

    @pytest.mark.parametrize("body", [b"", b"{", b"[", b"garbage", b"data=%%%", b"\xff", b"[7]"])
    @pytest.mark.parametrize("path", ["/track", "/engage", "/groups"])
    def test_an_unreadable_body_of_nobody_ends_there(
        self, gateway: GatewayUnderTest, path: str, body: bytes
    ) -> None:
        answer = gateway.post(body, path, authorization="")

        assert answer.status_code == 200
        if body == b"[7]":
            assert answer.json() == {"error": "no event has a `token`", "status": 0}
        else:
            assert answer.json() == VERBOSE

    def test_too_many_events_are_one_dead_letter(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, *[event()] * 2_001)

        assert (answer.status_code, answer.text) == (200, "1")
        assert gateway.rows() == []
        assert gateway.count("rejected") == 1

    def test_too_many_lines_likewise(self, gateway: GatewayUnderTest) -> None:
        line = json.dumps(event()).encode() + b"\n"
        answer = gateway.post(line * 2_001, "/import", authorization="")

        assert answer.json()["num_records_imported"] == 0
        assert gateway.rows() == []

    def test_a_body_that_is_too_large_ends_there(self, gateway: GatewayUnderTest) -> None:
        answer = gateway.post(b" " * (4 * 1024 * 1024 + 1), "/track?verbose=1", authorization="")

        assert (answer.status_code, answer.json()) == (200, VERBOSE)

    def test_a_wrong_token_ends_there_and_is_counted(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, event(token="wrong"))

        told = {"error": "this write key is not known", "status": 0}
        assert (answer.status_code, answer.json()) == (200, told)
        assert gateway.rows() == []
        assert gateway.metrics.refusals.counts["unknown_key",] == 1

    def test_what_is_not_kept_is_503_with_a_whole_retry_after(
        self, gateway: GatewayUnderTest
    ) -> None:
        gateway.publisher.fail_next = 1
        answer = send(gateway, event())

        assert answer.status_code == 503
        assert 5 <= int(answer.headers["retry-after"]) <= 300

    def test_another_method(self, gateway: GatewayUnderTest) -> None:
        assert gateway.http.put("/track").status_code == 405
