"""Countly's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.protocols import PROTOCOLS
from gateway.protocols.countly import CountlyProtocol
from tests import gateway_app
from tests.gateway_app import APP, KEY, GatewayUnderTest

TIME_MS = 1795497598000  # two seconds before it arrives
SUCCESS = {"result": "Success"}
METRICS = {"_os": "Android", "_os_version": "15", "_device": "Pixel 8", "_carrier": "T-Mobile"}
STACK = "java.lang.NullPointerException: no cart\n  at a.B.c(B.java:1)\n  at a.B.d(B.java:2)"


@pytest.fixture
def countly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayUnderTest]:
    """A gateway that speaks Countly too."""
    others = [one for one in PROTOCOLS if one.name != "countly"]
    monkeypatch.setattr(gateway_app, "PROTOCOLS", (CountlyProtocol(), *others))
    under_test = GatewayUnderTest(tmp_path)
    with under_test.http:
        yield under_test


def fields(**changes: Any) -> dict[str, str]:
    values = {
        "app_key": KEY,
        "device_id": "install-1",
        "timestamp": TIME_MS,
        "hour": 5,
        "dow": 2,
        "tz": 0,
        "sdk_name": "java-native-android",
        "sdk_version": "24.7.0",
        "av": "1.4.2",
        "rr": 3,
        **changes,
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def send(countly: GatewayUnderTest, **changes: Any) -> Any:
    return countly.post(urlencode(fields(**changes)).encode(), "/i", authorization="")


def row(countly: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    """The record of one action."""
    answer = send(countly, **changes)
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    return countly.rows()[-1]


class TestActions:
    def test_a_session_begins(self, countly: GatewayUnderTest) -> None:
        found = row(countly, begin_session=1, metrics={**METRICS, "_resolution": "1x1"})

        assert (
            found
            | {
                "event_type": "session_start",
                "app_id": APP,
                "protocol": "countly",
                "device_id": "install-1",
                "app_version": "1.4.2",
                "os_name": "Android",
                "os_version": "15",
                "device_model": "Pixel 8",
                "carrier": "T-Mobile",
                "sdk_name": "java-native-android",
                "time_quality": "no_sent_at",
            }
            == found
        )
        assert found["properties"] == {"_resolution": "1x1"}
        assert found["ts"].startswith("2026-11-24T05:19:58")

    def test_a_session_ends(self, countly: GatewayUnderTest) -> None:
        found = row(countly, end_session=1, session_duration=12)

        assert found["event_type"] == "session_end"
        assert found["properties"] == {"session_duration": 12.0}

    def test_a_heartbeat_is_only_counted(self, countly: GatewayUnderTest) -> None:
        assert send(countly, session_duration=60).json() == SUCCESS
        assert countly.rows() == []
        assert countly.metrics.ignored.counts["countly",] == 1

    @pytest.mark.parametrize(
        ("nonfatal", "event_type"),
        [(True, "error"), ("true", "error"), (False, "app_crash"), (None, "app_crash")],
    )
    def test_a_crash_has_its_columns(
        self, countly: GatewayUnderTest, nonfatal: Any, event_type: str
    ) -> None:
        crash = {"_error": STACK, "_nonfatal": nonfatal, "_os": "Android", "_run": 12}
        found = row(countly, crash=crash)

        assert found["event_type"] == event_type
        assert found["crash_type"] == "java.lang.NullPointerException"
        assert (found["crash_reason"], found["crash_stack"]) == ("no cart", STACK)
        assert found["os_name"] == "Android"
        assert found["properties"] == {"_run": 12}

    def test_events_are_tracks_and_screens(self, countly: GatewayUnderTest) -> None:
        order = {"key": "Order", "count": 1, "sum": 9.9, "segmentation": {"a": 1}}
        seen = {"key": "[CLY]_view", "id": "view-1", "segmentation": {"name": "Home", "visit": 1}}
        left = {"key": "[CLY]_view", "dur": 3, "segmentation": {"name": "Home"}}
        send(countly, events=[order, {**seen, "timestamp": TIME_MS + 1}, left])

        found = [(one["event_type"], one["event_name"]) for one in countly.rows()]
        assert found == [("track", "Order"), ("screen", "Home"), ("track", "[CLY]_view")]
        first, screen, _ = countly.rows()
        assert first["properties"] == {"a": 1, "$event.count": 1, "$event.sum": 9.9}
        assert screen["source_event_id"] == "view-1"

    def test_a_profile_is_an_identify(self, countly: GatewayUnderTest) -> None:
        found = row(countly, user_details={"username": "user-1", "custom": {"plan": "pro"}})

        assert (found["event_type"], found["user_id"]) == ("identify", "user-1")
        assert found["properties"]["custom"] == {"plan": "pro"}

    def test_a_request_sent_again_has_the_same_ids(self, countly: GatewayUnderTest) -> None:
        for left in (3, 2):
            send(
                countly, rr=left, checksum256=str(left), begin_session=1, events=[{"key": "a"}] * 2
            )

        ids = [one["event_id"] for one in countly.rows()]
        assert ids[:3] == ids[3:]
        assert len(set(ids)) == 3


class TestAnswer:
    def test_a_get(self, countly: GatewayUnderTest) -> None:
        answer = countly.http.get("/i?" + urlencode(fields(begin_session=1)))

        assert (answer.status_code, answer.json()) == (200, SUCCESS)
        assert len(countly.rows()) == 1

    def test_its_configuration(self, countly: GatewayUnderTest) -> None:
        assert countly.http.get("/o/sdk?method=sc").json() == {"v": 1, "t": 1, "c": {}}

    def test_one_bad_action_does_not_cost_the_others(self, countly: GatewayUnderTest) -> None:
        answer = send(
            countly, begin_session=1, events=[7, {"key": "a"}, {}], crash="{", user_details="[]"
        )

        assert answer.json() == SUCCESS
        assert [one["event_type"] for one in countly.rows()] == ["session_start", "track"]
        letters = [dict(one.headers) for one in countly.publisher.of("app-events-dead")]
        assert [one["position"] for one in letters] == [b"1", b"3", b"4", b"5"]

    @pytest.mark.parametrize(
        "changes", [{"device_id": None}, {"timestamp": None}, {"device_id": "x" * 201}]
    )
    def test_what_every_action_needs(
        self, countly: GatewayUnderTest, changes: dict[str, Any]
    ) -> None:
        assert send(countly, begin_session=1, **changes).json() == SUCCESS
        assert countly.count("rejected") == 1

    @pytest.mark.parametrize("body", [b"", b"{", b"garbage", b"app_key=wrong&begin_session=1"])
    def test_what_is_nobody_s_ends_there(self, countly: GatewayUnderTest, body: bytes) -> None:
        answer = countly.post(body, "/i", authorization="")

        assert (answer.status_code, answer.json()) == (200, SUCCESS)
        assert countly.rows() == []

    def test_a_body_that_is_too_large_ends_there(self, countly: GatewayUnderTest) -> None:
        answer = countly.post(b" " * (4 * 1024 * 1024 + 1), "/i", authorization="")

        assert (answer.status_code, answer.json()) == (200, SUCCESS)

    def test_what_is_not_kept_is_503(self, countly: GatewayUnderTest) -> None:
        countly.publisher.fail_next = 1

        assert send(countly, begin_session=1).status_code == 503


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = ["key", "id", "timestamp", "segmentation", "_error", "_nonfatal", "_background", "username"]
OBJECTS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    given_fields=st.dictionaries(
        st.sampled_from(
            ["begin_session", "metrics", "events", "crash", "user_details", "timestamp"]
        ),
        JSON | OBJECTS | st.lists(OBJECTS, max_size=2),
    )
)
def test_fields_of_any_shape(countly: GatewayUnderTest, given_fields: dict[str, Any]) -> None:
    assert send(countly, **given_fields).json() == SUCCESS
    assert countly.metrics.bugs._value.get() == 0
    countly.publisher.records.clear()
