"""Sentry's protocol: what its SDKs send, and what makes them keep or drop it."""

from __future__ import annotations

import gzip
import json
from typing import Any
from uuid import UUID

import pytest

from gateway.contract.refusal import KINDS, RefusalCode, Refused
from gateway.protocols.protocol import HANG_UP, Head
from gateway.protocols.sentry import SentryProtocol
from tests.gateway_app import APP, KEY, GatewayUnderTest

EVENT_ID = "6be1b52c70cf45cbb300a21bac0ab241"
SENT_AT = "2026-11-24T05:20:00.000Z"  # when the gateway's clock says it arrived
PATH = "/api/42/envelope/"
AUTH = f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.java.android/8.1.0"
RUNS = {  # Java, as Android's SDK writes it: the last frame is where it crashed
    "frames": [
        {"module": "android.os.Handler", "function": "dispatch", "lineno": 106, "in_app": False},
        {"module": "com.demo.Cart", "function": "total", "filename": "Cart.kt", "lineno": 42,
         "in_app": True},
    ]
}  # fmt: skip


def thrown(**changes: Any) -> dict[str, Any]:
    """The exception of an uncaught one."""
    values = {
        "type": "NullPointerException",
        "value": "no cart",
        "module": "java.lang",
        "thread_id": 1,
        "mechanism": {"type": "UncaughtExceptionHandler", "handled": False},
        "stacktrace": RUNS,
    }
    return {**values, **changes}


def crash(**changes: Any) -> dict[str, Any]:
    """A crash as Android's SDK writes it."""
    values = {
        "event_id": EVENT_ID,
        "timestamp": 1_795_497_598.25,
        "level": "fatal",
        "platform": "java",
        "release": "com.demo@1.4.2+142",
        "environment": "production",
        "user": {"id": "user-1"},
        "sdk": {"name": "sentry.java.android", "version": "8.1.0"},
        "exception": {"values": [thrown()]},
        "contexts": {
            "app": {
                "app_identifier": "com.demo",
                "app_name": "Demo",
                "app_version": "1.4.2",
                "app_build": "142",
                "in_foreground": True,
            },
            "os": {"name": "Android", "version": "15", "build": "AP3A"},
            "device": {
                "id": "install-1",
                "brand": "Google",
                "model": "Pixel 8",
                "locale": "en_US",
                "connection_type": "wifi",
            },
            "culture": {"timezone": "Europe/Berlin"},
        },
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def session(**changes: Any) -> dict[str, Any]:
    values = {
        "sid": "0f9fb50453334abab18bbe322697296b",
        "did": "install-1",
        "init": True,
        "started": "2026-11-24T05:19:50.000Z",
        "timestamp": "2026-11-24T05:19:58.000Z",
        "status": "ok",
        "seq": 7,
        "errors": 0,
        "attrs": {"release": "com.demo@1.4.2+142", "environment": "production"},
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def item(kind: str, value: Any, **header: Any) -> bytes:
    """An item with its true length, unless `header` says another or none."""
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    said = {"type": kind, "length": len(payload), **header}
    said = {name: part for name, part in said.items() if part is not None}
    return json.dumps(said).encode() + b"\n" + payload + b"\n"


def envelope(*items: bytes, **header: Any) -> bytes:
    said = {"event_id": EVENT_ID, "sent_at": SENT_AT, **header}
    said = {name: part for name, part in said.items() if part is not None}
    return json.dumps(said).encode() + b"\n" + b"".join(items)


def send(gateway: GatewayUnderTest, *items: bytes, auth: str = AUTH, **header: Any) -> Any:
    body = envelope(*items, **header)
    return gateway.post(body, PATH, authorization="", x_sentry_auth=auth)


def row(gateway: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    """The record of one event."""
    assert send(gateway, item("event", crash(**changes))).status_code == 200
    return gateway.rows()[-1]


def codes(gateway: GatewayUnderTest) -> list[bytes]:
    return [dict(one.headers)["code"] for one in gateway.publisher.of("app-events-dead")]


def ignored(gateway: GatewayUnderTest) -> int:
    return int(gateway.metrics.ignored.counts["sentry",])


class TestCrash:
    def test_becomes_the_columns_of_an_event(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway)

        assert (
            found
            | {
                "event_id": str(UUID(EVENT_ID)),
                "event_type": "app_crash",
                "app_id": APP,
                "protocol": "sentry",
                "occurred_at": "2026-11-24T05:19:58.250000Z",
                "time_quality": "as_sent",
                "device_id": "install-1",
                "user_id": "user-1",
                "app_package": "com.demo",
                "app_version": "1.4.2",
                "app_build": "142",
                "os_name": "Android",
                "os_version": "15",
                "device_manufacturer": "Google",
                "device_model": "Pixel 8",
                "locale": "en_US",
                "timezone": "Europe/Berlin",
                "network_type": "wifi",
                "sdk_name": "sentry.java.android",
                "crash_kind": "exception",
                "crash_fatal": True,
                "crash_type": "NullPointerException",
                "crash_reason": "no cart",
            }
            == found
        )
        assert found["properties"] == {
            "level": "fatal",
            "environment": "production",
            "$event.platform": "java",
            "$event.exception": {"module": "java.lang"},
            "$context.os.build": "AP3A",
            "$crash.mechanism": "UncaughtExceptionHandler",
            "$crash.in_foreground": True,
            "$crash.thread": {"id": "1"},
        }

    def test_its_stack_has_the_crash_point_first(self, gateway: GatewayUnderTest) -> None:
        frames = json.loads(row(gateway)["crash_stack"])

        assert frames[0] == {
            "module": "com.demo.Cart", "function": "total", "file": "Cart.kt", "line": 42,
            "in_app": True,
        }  # fmt: skip
        assert frames[1]["function"] == "dispatch"

    def test_a_native_one_has_signal_thread_and_images(self, gateway: GatewayUnderTest) -> None:
        frame = {"function": "crash", "instruction_addr": "0x1010", "package": "libdemo.so"}
        signal = {"number": 11, "name": "SIGSEGV", "code": 1, "code_name": "SEGV_MAPERR"}
        value = thrown(
            type="SIGSEGV", value="Segfault", stacktrace=None, thread_id=None, module=None,
            mechanism={"type": "signalhandler", "handled": False, "synthetic": True,
                       "meta": {"signal": signal}},
        )  # fmt: skip
        threads = [
            {"id": 5, "name": "worker", "stacktrace": RUNS},
            {"id": 1, "name": "main", "crashed": True, "stacktrace": {"frames": [frame]}},
        ]
        image = {"image_addr": "0x1000", "image_size": 4096, "debug_id": "D-1"}
        found = row(
            gateway,
            exception={"values": [value]},
            threads={"values": threads},
            debug_meta={"images": [image]},
        )

        assert found["crash_kind"] == "signal"
        assert json.loads(found["crash_stack"]) == [
            {"function": "crash", "address": "0x1010", "image": "libdemo.so",
             "image_base": "0x1000", "image_id": "D-1"}
        ]  # fmt: skip
        kept = found["properties"]
        assert kept["$crash.signal"] == {"number": 11, "name": "SIGSEGV", "code": "SEGV_MAPERR"}
        assert kept["$crash.thread"] == {"id": "1", "name": "main", "crashed": True}
        assert [one["name"] for one in kept["$event.threads"]] == ["worker"]
        assert kept["$event.debug_meta"] == {"images": [image]}

    def test_its_causes_are_told_nearest_first(self, gateway: GatewayUnderTest) -> None:
        root = {"type": "IOError", "value": "disk", "stacktrace": RUNS}
        middle = {"type": "DbError", "value": "read"}
        found = row(gateway, exception={"values": [root, middle, thrown()]})

        causes = found["properties"]["$crash.causes"]
        assert [(one["type"], one["message"]) for one in causes] == [
            ("DbError", "read"), ("IOError", "disk"),
        ]  # fmt: skip
        assert causes[1]["frames"][0]["function"] == "total"
        assert found["crash_type"] == "NullPointerException"

    @pytest.mark.parametrize(
        ("mechanism", "kind"),
        [
            ("UncaughtExceptionHandler", "exception"),
            ("onerror", "exception"),
            ("excepthook", "exception"),
            ("nsexception", "exception"),
            ("signalhandler", "signal"),
            ("signal", "signal"),
            ("mach", "mach_exception"),
            ("ANR", "anr"),
            ("AppHang", "anr"),
            ("AppExitInfo", "anr"),
            ("watchdog_termination", "oom"),
            ("something new", "exception"),
        ],
    )
    def test_its_kind_is_its_mechanism(
        self, gateway: GatewayUnderTest, mechanism: str, kind: str
    ) -> None:
        value = thrown(mechanism={"type": mechanism, "handled": False})

        assert row(gateway, exception={"values": [value]})["crash_kind"] == kind

    @pytest.mark.parametrize(
        ("level", "handled", "event_type"),
        [
            ("fatal", True, "app_crash"),
            ("error", False, "app_crash"),
            ("error", True, "error"),
            ("error", None, "error"),
            (None, None, "error"),
        ],
    )
    def test_it_is_one_when_fatal_or_not_handled(
        self, gateway: GatewayUnderTest, level: str | None, handled: bool | None, event_type: str
    ) -> None:
        value = thrown(mechanism={"type": "generic", "handled": handled})
        found = row(gateway, level=level, exception={"values": [value]})

        assert found["event_type"] == event_type
        assert found.get("crash_fatal", False) is (event_type == "app_crash")

    def test_an_unhandled_cause_is_one_too(self, gateway: GatewayUnderTest) -> None:
        values = [thrown(), thrown(mechanism=None)]

        assert row(gateway, level="error", exception=values)["event_type"] == "app_crash"

    def test_a_fatal_message_is_one_without_an_exception(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, exception=None, message="out of coins")

        assert (found["event_type"], found["crash_kind"]) == ("app_crash", "unknown")
        assert found["crash_reason"] == "out of coins"


class TestMessage:
    def test_is_a_track_by_its_template(self, gateway: GatewayUnderTest) -> None:
        entry = {"message": "paid {sum}", "formatted": "paid 5", "params": {"sum": 5}}
        found = row(gateway, level="info", exception=None, logentry=entry)

        assert (found["event_type"], found["event_name"]) == ("track", "paid {sum}")
        assert found["properties"]["message"] == "paid 5"
        assert found["properties"]["$event.params"] == {"sum": 5}

    def test_is_a_track_with_the_stack_of_its_place(self, gateway: GatewayUnderTest) -> None:
        place = {
            "value": "Paid", "stacktrace": RUNS,
            "mechanism": {"type": "generic", "handled": True, "synthetic": True},
        }  # fmt: skip
        found = row(gateway, level="info", message="Paid", exception={"values": [place]})

        assert (found["event_type"], found["event_name"]) == ("track", "Paid")
        assert found["properties"]["$event.exception"] == {"values": [place]}

    def test_a_long_one_is_cut_as_a_name_and_kept_beside(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, level="info", exception=None, message="x" * 300)

        assert found["event_name"] == "x" * 128
        assert found["properties"]["$event.name"] == "x" * 300

    def test_an_empty_one_has_a_name(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, level="info", exception=None)["event_name"] == "message"


class TestEvent:
    def test_what_has_no_field_is_a_property(self, gateway: GatewayUnderTest) -> None:
        crumbs = [{"category": "ui", "message": "tap"}]
        properties = row(
            gateway,
            tags=[["shop", "eu"]],
            extra={"cart": 3},
            breadcrumbs={"values": crumbs},
            user={"id": "user-1", "email": "a@b.c", "geo": {"country_code": "DE"}},
            fingerprint=["a"],
            modules={},
            contexts={"device": {"id": "d", "battery_level": 0.5}, "trace": {"trace_id": "t"}},
        )["properties"]

        assert (
            properties
            | {
                "tags": {"shop": "eu"},
                "extra": {"cart": 3},
                "breadcrumbs": crumbs,
                "$event.user": {"email": "a@b.c", "geo": {"country_code": "DE"}},
                "$event.fingerprint": ["a"],
                "$context.device.battery_level": 0.5,
                "$context.trace": {"trace_id": "t"},
            }
            == properties
        )
        assert "$event.modules" not in properties
        assert gateway.rows()[-1]["country"] == "DE"

    @pytest.mark.parametrize(
        ("release", "dist", "package", "version", "build"),
        [
            ("com.demo@1.4.2+142", None, "com.demo", "1.4.2", "142"),
            ("com.demo@1.4.2", "143", "com.demo", "1.4.2", "143"),
            ("@scope/app@2.0", None, "@scope/app", "2.0", None),
            ("4f2c1d9", None, None, "4f2c1d9", None),
        ],
    )
    def test_the_release_tells_the_app_where_its_context_does_not(
        self, gateway: GatewayUnderTest, release: str, dist: str | None, package: str | None,
        version: str, build: str | None,
    ) -> None:  # fmt: skip
        found = row(gateway, release=release, dist=dist, contexts={"device": {"id": "d"}})

        told = [found.get(name) for name in ("app_package", "app_version", "app_build")]
        assert told == [package, version, build]
        assert "$event.release" not in found["properties"]

    def test_a_release_that_says_another_thing_than_the_context_is_kept(
        self, gateway: GatewayUnderTest
    ) -> None:
        found = row(gateway, release="web@9", dist="7")

        assert (found["app_version"], found["app_build"]) == ("1.4.2", "142")
        assert found["properties"]["$event.release"] == "web@9"
        assert found["properties"]["$event.dist"] == "7"

    def test_without_a_device_the_user_is_the_device(self, gateway: GatewayUnderTest) -> None:
        found = row(gateway, contexts=None)

        assert (found["device_id"], found.get("user_id")) == ("user-1", None)

    def test_with_neither_it_is_a_dead_letter(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, item("event", crash(contexts=None, user=None)))

        assert (answer.status_code, codes(gateway)) == (200, [b"missing_field"])

    @pytest.mark.parametrize(
        ("timestamp", "occurred_at", "quality"),
        [
            (1_795_497_598.25, "2026-11-24T05:19:58.250000Z", "as_sent"),
            ("2026-11-24T05:19:58.25Z", "2026-11-24T05:19:58.250000Z", "as_sent"),
            (None, "2026-11-24T05:20:00Z", "as_sent"),
            ("soon", "1970-01-01T00:00:00Z", "invalid"),
        ],
    )
    def test_its_time_is_a_number_or_text_else_when_it_was_sent(
        self, gateway: GatewayUnderTest, timestamp: Any, occurred_at: str, quality: str
    ) -> None:
        found = row(gateway, timestamp=timestamp)

        assert (found["occurred_at"], found["time_quality"]) == (occurred_at, quality)
        assert found["properties"].get("$timestamp") == ("soon" if quality == "invalid" else None)

    def test_without_any_time_it_is_a_dead_letter(self, gateway: GatewayUnderTest) -> None:
        send(gateway, item("event", crash(timestamp=None)), sent_at=None)

        assert codes(gateway) == [b"missing_field"]

    def test_a_wrong_clock_is_corrected(self, gateway: GatewayUnderTest) -> None:
        event = crash(timestamp="2026-11-24T02:19:50.000Z")
        send(gateway, item("event", event), sent_at="2026-11-24T02:20:00.000Z")

        found = gateway.rows()[-1]
        assert found["time_quality"] == "corrected"
        assert found["ts"].startswith("2026-11-24T05:19:50")

    def test_the_envelope_s_id_stands_in(self, gateway: GatewayUnderTest) -> None:
        assert row(gateway, event_id=None)["event_id"] == str(UUID(EVENT_ID))

    def test_a_copy_has_the_same_id(self, gateway: GatewayUnderTest) -> None:
        for _ in range(2):
            send(gateway, item("event", crash(event_id=None)), event_id=None)

        first, again = gateway.rows()
        assert first["event_id"] == again["event_id"]


class TestSession:
    def test_its_begin_is_a_start(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, item("session", session())).json() == {"id": EVENT_ID}

        (found,) = gateway.rows()
        assert (
            found
            | {
                "event_type": "session_start",
                "occurred_at": "2026-11-24T05:19:50Z",
                "session_id": "0f9fb504-5333-4aba-b18b-be322697296b",
                "sequence": 7,
                "device_id": "install-1",
                "app_package": "com.demo",
                "app_version": "1.4.2",
                "app_build": "142",
                "sdk_name": "sentry.java.android",
                "properties": {"environment": "production"},
            }
            == found
        )

    @pytest.mark.parametrize("status", ["exited", "crashed", "abnormal", "unhandled"])
    def test_its_last_update_is_an_end(self, gateway: GatewayUnderTest, status: str) -> None:
        last = session(
            init=False, status=status, errors=2, duration=8.5, abnormal_mechanism="anr_foreground"
        )
        send(gateway, item("session", last))

        (found,) = gateway.rows()
        assert (found["event_type"], found["ts"]) == ("session_end", "2026-11-24T05:19:58Z")
        assert found["properties"] == {
            "environment": "production",
            "status": status,
            "errors": 2,
            "duration": 8.5,
            "abnormal_mechanism": "anr_foreground",
            "started": "2026-11-24T05:19:50.000Z",
        }

    def test_one_that_is_over_at_once_is_both(self, gateway: GatewayUnderTest) -> None:
        for _ in range(2):
            send(gateway, item("session", session(status="exited")))

        start, end, start_again, end_again = gateway.rows()
        assert [start["event_type"], end["event_type"]] == ["session_start", "session_end"]
        assert start["session_id"] == end["session_id"]
        assert start["event_id"] != end["event_id"]
        assert (start["event_id"], end["event_id"]) == (
            start_again["event_id"], end_again["event_id"],
        )  # fmt: skip

    def test_an_update_between_is_counted(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, item("session", session(init=False))).status_code == 200

        assert (gateway.rows(), ignored(gateway)) == ([], 1)

    def test_without_a_sent_time_nothing_is_corrected(self, gateway: GatewayUnderTest) -> None:
        send(gateway, item("session", session()), sent_at=None)

        assert gateway.rows()[-1]["time_quality"] == "no_sent_at"

    def test_counted_ones_are_a_start_and_an_end_for_each_outcome(
        self, gateway: GatewayUnderTest
    ) -> None:
        bucket = {"started": "2026-11-24T05:19:00Z", "did": "d", "exited": 3, "crashed": 1}
        counted = {"aggregates": [bucket], "attrs": {"release": "web@9"}}
        send(gateway, item("sessions", counted))

        rows = gateway.rows()
        assert [one["event_type"] for one in rows] == ["session_start", "session_end"] * 2
        told = [one["properties"] for one in rows if one["event_type"] == "session_end"]
        assert told == [{"count": 3, "status": "exited"}, {"count": 1, "status": "crashed"}]
        assert len({one["event_id"] for one in rows}) == 4
        assert len({one["session_id"] for one in rows}) == 2

    def test_counted_ones_of_no_device_are_dead_letters(self, gateway: GatewayUnderTest) -> None:
        bucket = {"started": "2026-11-24T05:19:00Z", "exited": 3}
        send(gateway, item("sessions", {"aggregates": [bucket]}))

        assert codes(gateway) == [b"missing_field"] * 2


class TestEnvelope:
    @pytest.mark.parametrize(
        "kind",
        [
            "transaction", "span", "profile", "profile_chunk", "replay_event", "replay_recording",
            "replay_video", "attachment", "client_report", "check_in", "statsd", "brand_new",
        ],
    )  # fmt: skip
    def test_what_is_no_event_of_ours_is_counted(
        self, gateway: GatewayUnderTest, kind: str
    ) -> None:
        answer = send(gateway, item(kind, b"\x00{\nbinary\n\n"), item("event", crash()))

        assert answer.status_code == 200
        assert (len(gateway.rows()), ignored(gateway)) == (1, 1)
        assert codes(gateway) == []

    @pytest.mark.parametrize("length", [None, 0, 3, 10**9, -1, "many", 1.5, True])
    def test_a_length_that_is_missing_or_wrong_costs_nothing(
        self, gateway: GatewayUnderTest, length: Any
    ) -> None:
        send(gateway, item("event", crash(), length=length), item("session", session()))

        kept = [one["event_type"] for one in gateway.rows()]
        assert kept == ["app_crash", "session_start"]

    def test_a_payload_of_several_lines_has_its_length(self, gateway: GatewayUnderTest) -> None:
        payload = json.dumps(crash(), indent=2).encode()
        send(gateway, item("event", payload), item("session", session()))

        assert len(gateway.rows()) == 2

    def test_lines_may_end_as_on_windows(self, gateway: GatewayUnderTest) -> None:
        body = envelope(item("event", crash()), item("session", session()))
        gateway.post(body.replace(b"\n", b"\r\n"), PATH, authorization="", x_sentry_auth=AUTH)

        assert len(gateway.rows()) == 2

    def test_cut_at_each_byte_it_is_an_event_or_a_dead_letter(
        self, gateway: GatewayUnderTest
    ) -> None:
        body = envelope(item("event", {"message": "m", "user": {"id": "d"}}))
        first = body.index(b"\n") + 1

        for cut in range(first, len(body)):
            answer = gateway.post(body[:cut], PATH, authorization="", x_sentry_auth=AUTH)
            assert answer.status_code == 200

    def test_one_bad_item_does_not_cost_the_others(self, gateway: GatewayUnderTest) -> None:
        answer = send(
            gateway,
            item("event", b"{"),
            item("event", b"[1]"),
            b"no item\nnor this\n",
            item("event", b'{"a":' + b"[" * 5_000),
            item("event", crash(event_id="x" * 201)),
            item("event", crash()),
        )

        assert answer.status_code == 200
        assert len(gateway.rows()) == 1
        assert codes(gateway) == [b"invalid_json"] * 4 + [b"id_too_long"]
        assert gateway.count("rejected") == 5

    def test_an_envelope_of_nothing_is_fine(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway).json() == {"id": EVENT_ID}

    def test_a_compressed_one_is_known(self, gateway: GatewayUnderTest) -> None:
        body = gzip.compress(envelope(item("event", crash())))
        answer = gateway.post(
            body, PATH, authorization="", x_sentry_auth=AUTH, content_encoding="gzip",
            content_type="application/x-sentry-envelope",
        )  # fmt: skip

        assert (answer.status_code, len(gateway.rows())) == (200, 1)

    def test_numbers_and_texts_that_are_no_json_cost_nothing(
        self, gateway: GatewayUnderTest
    ) -> None:
        payload = json.dumps(crash(extra={"a": float("nan"), "b": "\ud800"})).encode()
        send(gateway, item("event", payload))

        assert gateway.rows()[-1]["properties"]["extra"] == {"a": None, "b": "?"}


class TestStore:
    def test_one_event_is_the_body(self, gateway: GatewayUnderTest) -> None:
        answer = gateway.post(crash(), "/api/42/store/", authorization="", x_sentry_auth=AUTH)

        assert answer.json() == {"id": EVENT_ID}
        assert gateway.rows()[-1]["time_quality"] == "no_sent_at"

    def test_a_transaction_is_none_of_ours(self, gateway: GatewayUnderTest) -> None:
        body = crash(type="transaction")
        gateway.post(body, "/api/42/store", authorization="", x_sentry_auth=AUTH)

        assert (gateway.rows(), ignored(gateway)) == ([], 1)

    def test_an_unreadable_one_is_400(self, gateway: GatewayUnderTest) -> None:
        answer = gateway.post(b"{", "/api/42/store", authorization="", x_sentry_auth=AUTH)

        assert answer.status_code == 400


class TestLarge:
    def test_a_deep_stack_keeps_both_its_ends(self, gateway: GatewayUnderTest) -> None:
        frame = {"module": "m", "function": "f", "filename": "a.py", "vars": {"v": "x" * 250}}
        frames = [{**frame, "lineno": number} for number in range(9_000)]
        found = row(gateway, exception=[thrown(stacktrace={"frames": frames})])

        frames = json.loads(found["crash_stack"])
        assert (frames[0]["line"], frames[-1]["line"]) == (8_999, 0)
        assert 500 <= len(frames) < 9_000
        assert found["properties"]["$event.trimmed"] == ["$crash.frames"]
        assert found["properties"]["level"] == "fatal"

    @pytest.mark.parametrize(
        "changes",
        [
            {"breadcrumbs": [{"message": "x" * 900} for _ in range(900)]},
            {"extra": {"text": "x" * 700_000}},
            {"extra": {str(number): number for number in range(90_000)}},
            {"threads": [{"id": n, "stacktrace": RUNS} for n in range(3_000)]},
            {"exception": [thrown(value="x" * 900_000)]},
            {"exception": [thrown(type="x" * 900_000, mechanism={"type": "y" * 900_000})]},
            {"exception": [*[thrown() for _ in range(4_000)], thrown()]},
            {"contexts": {"device": {"id": "d", "model": "x" * 900_000}}},
            {"tags": {"x" * 700_000: "x"}},
            {f"key{number}": "x" * 5_000 for number in range(400)},
            {f"key{number}": 1 for number in range(9_000)},
            {"x" * 900_000: "x"},
            {"release": "x" * 900_000},
            {"sdk": {"name": "x" * 900_000}},
        ],
        ids=lambda changes: next(iter(changes))[:20],
    )
    def test_whatever_is_too_large_is_cut_and_the_crash_stays(
        self, gateway: GatewayUnderTest, changes: dict[str, Any]
    ) -> None:
        found = row(gateway, **changes)

        assert (found["event_type"], gateway.count("rejected")) == ("app_crash", 0)
        assert found["crash_stack"]
        assert len(gateway.publisher.of("app-events")[-1].value) < 300_000

    def test_a_session_is_cut_too(self, gateway: GatewayUnderTest) -> None:
        send(gateway, item("session", session(attrs={"environment": "x" * 90_000})))

        assert gateway.rows()[-1]["properties"]["$event.trimmed"] == ["environment"]

    @pytest.mark.parametrize(
        ("told", "attrs", "cut"),
        [
            ({"started": "2026-11-24T05:19:00Z"}, {"environment": "x" * 40_000}, "environment"),
            ({}, {}, "$timestamp"),  # which is when it was sent
        ],
    )
    def test_a_count_of_sessions_is_cut_too(
        self, gateway: GatewayUnderTest, told: Any, attrs: Any, cut: str
    ) -> None:
        counted = {"aggregates": [{**told, "did": "d", "exited": 1}], "attrs": attrs}
        send(gateway, item("sessions", counted), sent_at="x" * 40_000)

        assert [one["properties"]["$event.trimmed"] for one in gateway.rows()] == [[cut]] * 2

    def test_a_message_has_the_room_of_a_message(self, gateway: GatewayUnderTest) -> None:
        crumbs = [{"message": f"{number} {'x' * 300}"} for number in range(300)]
        found = row(gateway, level="info", exception=None, message="m", breadcrumbs=crumbs)

        kept = found["properties"]["breadcrumbs"]
        assert kept[-1] == crumbs[-1]
        assert 30 < len(kept) < 100
        assert found["properties"]["$event.trimmed"] == ["breadcrumbs"]


class TestKeys:
    @pytest.mark.parametrize(
        ("query", "auth", "dsn"),
        [
            ("", AUTH, None),
            (f"?sentry_version=7&sentry_key={KEY}&sentry_client=a%2F1", "", None),
            ("", "", f"https://{KEY}@gateway.example/42"),
            ("", "", f"https://{KEY}:secret@gateway.example/42"),
            ("?sentry_key=wrong", AUTH, f"https://{KEY}@gateway.example/42"),
        ],
    )
    def test_lie_in_a_header_the_query_or_the_envelope(
        self, gateway: GatewayUnderTest, query: str, auth: str, dsn: str | None
    ) -> None:
        body = envelope(item("event", crash()), dsn=dsn)
        answer = gateway.post(body, PATH + query, authorization="", x_sentry_auth=auth)

        assert (answer.status_code, len(gateway.rows())) == (200, 1)

    @pytest.mark.parametrize(
        ("auth", "dsn"),
        [
            ("Sentry sentry_key=wrong", None),
            ("", None),
            ("Sentry", "no dsn"),
            ("", "https://wrong@gateway.example/42"),
            (AUTH, "https://wrong@gateway.example/42"),
        ],
    )
    def test_a_wrong_one_or_none_is_403(
        self, gateway: GatewayUnderTest, auth: str, dsn: str | None
    ) -> None:
        assert send(gateway, item("event", crash()), auth=auth, dsn=dsn).status_code == 403
        assert gateway.publisher.records == []

    def test_a_base_path_of_the_dsn_is_a_prefix(self, gateway: GatewayUnderTest) -> None:
        body = envelope(item("event", crash()))
        answer = gateway.post(body, "/sentry" + PATH, authorization="", x_sentry_auth=AUTH)

        assert answer.status_code == 200


class TestAnswers:
    def test_success_is_200_with_the_id(self, gateway: GatewayUnderTest) -> None:
        answer = send(gateway, item("event", crash()))

        assert (answer.status_code, answer.json()) == (200, {"id": EVENT_ID})

    def test_success_asks_for_no_more_of_what_is_skipped(self, gateway: GatewayUnderTest) -> None:
        limits = send(gateway, item("event", crash())).headers["x-sentry-rate-limits"]

        seconds, categories, scope = limits.split(":")
        assert (seconds, scope) == ("3600", "key")
        assert {"transaction", "replay", "profile"} <= set(categories.split(";"))
        assert not {"error", "session", "default", ""} & set(categories.split(";"))

    def test_without_an_event_the_id_is_null(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, item("session", session()), event_id=None).json() == {"id": None}

    @pytest.mark.parametrize("body", [b"", b"{", b"\n", b"[]\n", b"no envelope", b"\xff\xfe"])
    def test_an_unreadable_envelope_is_400(self, gateway: GatewayUnderTest, body: bytes) -> None:
        answer = gateway.post(body, PATH, authorization="", x_sentry_auth=AUTH)

        assert answer.status_code == 400
        assert answer.json()["detail"]

    def test_one_that_is_too_large_is_413(self, gateway: GatewayUnderTest) -> None:
        assert send(gateway, item("attachment", b"x" * 5_000_000)).status_code == 413

    @pytest.mark.parametrize(
        "items", [item("session", session(status="exited")) * 501, item("x", {}) * 5_000]
    )
    def test_one_of_too_many_items_is_413(self, gateway: GatewayUnderTest, items: bytes) -> None:
        assert send(gateway, items).status_code == 413

    @pytest.mark.parametrize("code", RefusalCode)
    def test_what_may_come_again_hears_no_status(self, code: RefusalCode) -> None:
        head = Head("POST", "/api/42/envelope", b"", {})
        answer = SentryProtocol().refuse(head, Refused(code, "text"))

        final = {
            "unreadable": 400, "wrong_content_type": 400, "too_large": 413, "unknown_key": 403,
            "method": 405,
        }  # fmt: skip
        expected = final.get(KINDS[code])
        assert answer.status == expected if expected else answer is HANG_UP
