"""Snowplow's protocol: what its trackers send, and what makes them keep or drop it."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.gateway_app import APP, KEY, GatewayUnderTest

PATH = f"/snowplow/{KEY}/com.snowplowanalytics.snowplow/tp2"
EVENT_ID = "114f16a2-d359-48fb-a37f-7ea110b3de41"
SESSION_ID = "5a0e3f7e-0000-4000-8000-000000000001"
TIME = "1795497598000"  # two seconds before it arrives
SENT = "1795497600000"


def described(name: str, data: Any, vendor: str = "com.snowplowanalytics.snowplow") -> Any:
    return {"schema": f"iglu:{vendor}/{name}/jsonschema/1-0-0", "data": data}


def packed(value: Any) -> str:
    """In base64 of the alphabet for URLs, without padding, as mobile trackers write it."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CONTEXTS = [
    described("mobile_context", {"osType": "ios", "osVersion": "18.1", "deviceModel": "iPhone"}),
    described(
        "client_session",
        {"userId": "install-1", "sessionId": SESSION_ID, "eventIndex": 7, "sessionIndex": 2},
    ),
    described("application", {"version": "1.4.2", "build": "142"}),
]


def payload(
    name: str = "cart_viewed",
    data: Any = None,
    *,
    contexts: Any = CONTEXTS,
    is_plain: bool = False,
    **changes: Any,
) -> dict[str, Any]:
    """A self-describing event as the mobile trackers write it."""
    event = described("unstruct_event", described(name, {} if data is None else data))
    about = described("contexts", contexts)
    fields = {
        "e": "ue", "eid": EVENT_ID, "p": "mob", "tv": "ios-6.1.0", "tna": "main", "aid": "com.demo",
        "uid": "user-1", "dtm": TIME, "stm": SENT, "lang": "de-DE", "tz": "Europe/Berlin",
    }  # fmt: skip
    if is_plain:
        own = {"ue_pr": json.dumps(event), "co": json.dumps(about)}
    else:
        own = {"ue_px": packed(event), "cx": packed(about)}
    given = {**fields, **own, **changes}
    return {key: value for key, value in given.items() if value is not None}


def send(gateway: GatewayUnderTest, *payloads: Any, path: str = PATH) -> Any:
    schema = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
    return gateway.post({"schema": schema, "data": list(payloads)}, path, authorization="")


def row(gateway: GatewayUnderTest, *args: Any, **changes: Any) -> dict[str, Any]:
    """The record of one event."""
    answer = send(gateway, payload(*args, **changes))
    assert (answer.status_code, answer.text) == (200, "ok")
    return gateway.rows()[-1]


class TestEvents:
    @pytest.mark.parametrize("is_plain", [False, True])
    def test_every_field_has_its_column(self, gateway: GatewayUnderTest, *, is_plain: bool) -> None:
        found = row(gateway, "cart_viewed", {"items": 3}, is_plain=is_plain)

        assert found["event_id"] == EVENT_ID
        assert (found["event_type"], found["event_name"]) == ("track", "cart_viewed")
        assert found["occurred_at"] == "2026-11-24T05:19:58Z"
        assert found["sent_at"] == "2026-11-24T05:20:00Z"
        assert (found["device_id"], found["user_id"]) == ("install-1", "user-1")
        assert (found["session_id"], found["sequence"]) == (SESSION_ID, 7)
        assert (found["os_name"], found["os_version"]) == ("ios", "18.1")
        assert (found["app_package"], found["app_version"], found["app_build"]) == (
            "com.demo", "1.4.2", "142",
        )  # fmt: skip
        assert (found["locale"], found["timezone"]) == ("de-DE", "Europe/Berlin")
        assert (found["sdk_name"], found["sdk_version"]) == ("snowplow-ios", "6.1.0")
        assert found["properties"] == {
            "items": 3,
            "$context.client_session.sessionIndex": 2,
            "$event.p": "mob",
            "$event.tna": "main",
        }

    @pytest.mark.parametrize(
        ("name", "event_type"),
        [
            ("application_foreground", "app_open"),
            ("application_background", "app_close"),
            ("application_install", "app_install"),
            ("Application_Install", "app_install"),
            ("link_click", "track"),
        ],
    )
    def test_lifecycle(self, gateway: GatewayUnderTest, name: str, event_type: str) -> None:
        assert row(gateway, name)["event_type"] == event_type

    def test_a_screen_has_its_own_name(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, "screen_view", {"name": "Cart", "id": "s-1"})

        assert (found["event_type"], found["event_name"]) == ("screen", "Cart")
        assert found["properties"]["id"] == "s-1"

    @pytest.mark.parametrize(("is_fatal", "event_type"), [(True, "app_crash"), (False, "error")])
    def test_an_error_is_a_crash_when_it_is_fatal(
        self, gateway: GatewayUnderTest, event_type: str, *, is_fatal: bool
    ) -> None:
        data = {
            "message": "no cart", "exceptionName": "java.lang.NullPointerException",
            "stackTrace": "at a.B.c(B.java:1)", "isFatal": is_fatal, "threadId": 1,
            "threadName": "main", "lineNumber": 3,
        }  # fmt: skip
        found = row(gateway, "application_error", data)

        assert found["event_type"] == event_type
        assert found.get("crash_fatal", False) is is_fatal
        assert found["crash_type"] == "java.lang.NullPointerException"
        assert found["crash_reason"] == "no cart"
        assert found["crash_stack"] == "at a.B.c(B.java:1)"
        assert found["properties"]["$crash.thread"] == {"id": "1", "name": "main"}
        assert found["properties"]["lineNumber"] == 3
        assert "isFatal" not in found["properties"]

    def test_a_structured_event(self, gateway: GatewayUnderTest) -> None:
        found = row(
            gateway, ue_px=None, e="se", se_ca="shop", se_ac="order", se_la="l", se_va="9.99"
        )

        assert (found["event_type"], found["event_name"]) == ("track", "order")
        properties = found["properties"]
        assert (properties["category"], properties["label"]) == ("shop", "l")
        assert properties["value"] == "9.99"

    def test_the_view_of_a_page_is_a_screen(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, ue_px=None, e="pv", page="Cart", url="https://shop/cart")

        assert (found["event_type"], found["event_name"]) == ("screen", "Cart")
        assert found["properties"]["url"] == "https://shop/cart"

    def test_the_true_time_wins(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, ttm="1795497590000")["occurred_at"] == "2026-11-24T05:19:50Z"

    def test_a_time_that_is_none_is_kept_beside(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, dtm="soon")

        assert found["time_quality"] == "invalid"
        assert found["properties"]["$timestamp"] == "soon"

    def test_contexts_without_a_field_are_kept(self, gateway: GatewayUnderTest) -> None:
        more = [described("screen", {"name": "Cart"}), described("screen", {"name": "Old"})]
        found = row(gateway, contexts=[*CONTEXTS, *more, described("plan", "gold")])

        assert found["properties"]["$context.screen"] == {"name": "Cart"}
        assert found["properties"]["$context.screen.2"] == {"name": "Old"}
        assert found["properties"]["$context.plan"] == "gold"

    def test_contexts_that_cannot_be_read_are_kept(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, cx="!!", duid="install-2")

        assert found["device_id"] == "install-2"
        assert found["properties"]["$event.cx"] == "!!"

    def test_an_event_without_an_id_has_the_same_one_when_it_comes_again(
        self, gateway: GatewayUnderTest
    ) -> None:
        first = row(gateway, eid=None)
        again = row(gateway, eid=None, stm="1795497700000")

        assert first["event_id"] == again["event_id"]

    def test_what_is_no_event_of_ours_is_counted(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, payload("screen_end"), payload(ue_px=None, e="pp"), payload())

        assert answer.text == "ok"
        assert len(gateway.rows()) == 1
        assert gateway.metrics.ignored.counts["snowplow",] == 2


class TestKeys:
    def test_the_key_is_in_the_path_with_or_without_the_prefix(
        self, gateway: GatewayUnderTest
    ) -> None:
        assert send(gateway, payload(), path=PATH.removeprefix("/snowplow")).text == "ok"
        assert gateway.rows()[0]["app_id"] == APP

    def test_else_the_app_s_id_is_the_key_and_is_not_stored(
        self, gateway: GatewayUnderTest
    ) -> None:
        gateway.add_key("other", "second-key")
        path = PATH.replace(f"/{KEY}", "")
        answer = send(
            gateway, payload(aid=KEY), payload(aid=None), payload(aid="second-key"), path=path
        )

        assert answer.text == "ok"
        rows = gateway.rows()
        assert [one["app_id"] for one in rows] == [APP, "other"]  # the second is a duplicate
        assert gateway.count("duplicate") == 1
        assert all(KEY not in json.dumps(one) for one in rows)

    def test_an_unknown_key_is_final(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, payload(), path=PATH.replace(KEY, "nobody")).status_code == 403
        assert gateway.rows() == []

    def test_no_key_is_said_so(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, payload(aid=None), path=PATH.replace(f"/{KEY}", ""))

        assert answer.status_code == 403
        assert "aid" in answer.json()["message"]


class TestAnswers:
    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data":1}', b"\xff"])
    def test_a_body_that_cannot_be_read_is_final(
        self, gateway: GatewayUnderTest, body: bytes
    ) -> None:
        assert gateway.post(body, PATH, authorization="").status_code == 400

    @pytest.mark.parametrize(
        ("bad", "word"),
        [
            (7, "object"),
            (payload(e=None), "`e`"),
            (payload(ue_px="!!"), "ue_px"),
            (payload(dtm=None), "`dtm`"),
            (payload(uid=None, cx=None), "client_session.userId"),
            (payload(eid="x" * 201), "`eid`"),
            (payload("many", {str(one): one for one in range(256)}), "256 properties"),
        ],
    )
    def test_a_bad_event_costs_itself_only(
        self, gateway: GatewayUnderTest, bad: Any, word: str
    ) -> None:
        answer = send(gateway, bad, payload())

        assert answer.text == "ok"
        assert len(gateway.rows()) == 1
        (letter,) = gateway.publisher.of("app-events-dead")
        assert word in dict(letter.headers)["text"].decode()

    def test_too_many_events_are_final(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, *[payload()] * 1001).status_code == 400

    def test_a_single_event_by_get(self, gateway: GatewayUnderTest) -> None:
        query = urlencode(payload(is_plain=True))
        answer = gateway.http.get(f"/snowplow/{KEY}/i?{query}")

        assert (answer.status_code, answer.text) == (200, "ok")
        assert gateway.rows()[0]["event_id"] == EVENT_ID
