"""The native endpoint through its HTTP port: what is said, what is kept, what is counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import EVENT_ID, as_body, make_batch, make_event
from tests.gateway_app import KEY, GatewayUnderTest


def test_an_accepted_event_is_answered_after_it_is_kept(gateway: GatewayUnderTest) -> None:
    answer = gateway.post(make_batch())

    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [],
        "stored": "kafka",
        "server_time": "2026-11-24T05:20:00.000Z",
    }
    (record,) = gateway.publisher.of("app-events")
    assert record.key == b"device-1"
    assert record.value.startswith(b'{"event_id":"' + EVENT_ID.encode())


def test_what_is_not_kept_is_never_answered_200(gateway: GatewayUnderTest) -> None:
    gateway.publisher.fail_next = 1

    answer = gateway.post(make_batch(make_event(), make_event(event_id="other")))

    assert answer.status_code == 503
    assert 5 <= int(answer.headers["retry-after"]) <= 300
    assert answer.json()["error"]["code"] == "not_kept"
    assert gateway.count("refused") == 2
    assert gateway.count("accepted") == 0


def test_one_bad_event_does_not_cost_the_others(gateway: GatewayUnderTest) -> None:
    bad = make_event(type=None)
    good = make_event(event_id="0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e70")

    answer = gateway.post(make_batch(make_event(), bad, good)).json()

    assert answer["accepted"] == 2
    assert answer["rejected"] == [
        {
            "index": 1,
            "event_id": EVENT_ID,
            "code": "missing_field",
            "message": "`type` is missing - at `$.events[1].type`",
        }
    ]
    assert len(gateway.publisher.of("app-events")) == 2


def test_every_decoded_event_has_one_outcome(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch(make_event(), make_event(), make_event(type=None), 5))

    outcomes = {name: gateway.count(name) for name in ("accepted", "duplicate", "rejected")}

    assert outcomes == {"accepted": 1, "duplicate": 1, "rejected": 2}


def test_a_rejected_event_is_kept_as_a_dead_letter(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch(make_event(), make_event(sequence=-1)), x_request_id="r-77")

    (letter,) = gateway.publisher.of("app-events-dead")
    headers = dict(letter.headers)
    assert headers["source"] == b"gateway"
    assert headers["code"] == b"invalid_field"
    assert headers["app_id"] == b"demo"
    assert headers["app_version"] == b"1.4.2"
    assert headers["request_id"] == b"r-77"
    assert json.loads(letter.value)["sequence"] == -1


def test_a_dead_letter_is_cut_to_eight_kilobytes(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch(make_event(sequence=-1, properties={"a": "x" * 20_000})))

    (letter,) = gateway.publisher.of("app-events-dead")
    assert len(letter.value) == 8 * 1024


def test_dead_letters_beyond_their_rate_are_counted(tmp_path: Path) -> None:
    under_test = GatewayUnderTest(tmp_path, dead_letters_per_second=1)

    with under_test.http:
        answer = under_test.post(make_batch(*[make_event(type=None)] * 25))

    assert len(answer.json()["rejected"]) == 25
    assert len(under_test.publisher.of("app-events-dead")) == 10  # ten seconds' worth
    assert under_test.metrics.dead_letters.labels("over_rate")._value.get() == 15


def test_a_rejected_first_copy_does_not_make_the_second_a_duplicate(
    gateway: GatewayUnderTest,
) -> None:
    answer = gateway.post(make_batch(make_event(sequence=-1), make_event())).json()

    assert (answer["accepted"], answer["duplicates"]) == (1, 0)


def test_a_single_event_is_a_body_too(gateway: GatewayUnderTest) -> None:
    body = {**make_event(), "sent_at": "2026-11-24T05:20:00Z", "context": {"device": {"id": "d"}}}

    assert gateway.post(body).json()["accepted"] == 1


def test_a_client_cannot_set_a_server_field(gateway: GatewayUnderTest) -> None:
    event = make_event(app_id="evil", received_at="1999-01-01T00:00:00Z", kafka_offset=7)

    assert gateway.post(make_batch(event)).json()["accepted"] == 1

    (record,) = gateway.publisher.of("app-events")
    pairs = json.loads(record.value, object_pairs_hook=lambda pairs: pairs)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    row = dict(pairs)
    assert row["app_id"] == "demo"
    assert datetime.fromisoformat(row["received_at"]) == datetime(2026, 11, 24, 5, 20, tzinfo=UTC)
    assert "kafka_offset" not in row
    assert dict(row["properties"])["$event.app_id"] == "evil"


def test_an_unknown_type_is_kept_as_track(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch(make_event(type="brand_new")))

    (row,) = gateway.rows()
    assert (row["event_type"], row["event_name"]) == ("track", "brand_new")


def test_unknown_keys_become_properties(gateway: GatewayUnderTest) -> None:
    context = {"device": {"id": "d", "color": "red"}, "mood": "fine", "os": "Android"}

    gateway.post(make_batch(make_event(weather="rain"), context=context))

    (row,) = gateway.rows()
    assert row["properties"] == {
        "from_background": False,
        "$event.weather": "rain",
        "$context.device.color": "red",
        "$context.mood": "fine",
        "$context.os": "Android",
    }


def test_unknown_keys_beside_the_events_become_properties_of_each(
    gateway: GatewayUnderTest,
) -> None:
    other = "0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e70"
    batch = make_batch(make_event(), make_event(event_id=other), tenant={"id": 7}, huge="x" * 9000)

    assert gateway.post(batch).status_code == 200
    for row in gateway.rows():
        assert row["properties"]["$batch.tenant"] == {"id": 7}
        assert row["properties"]["$batch.left_out"] == ["huge"]


def test_a_crash_found_at_the_next_launch_carries_the_crashed_run(
    gateway: GatewayUnderTest,
) -> None:
    crash = {
        "kind": "signal",
        "exception": {"type": "SIGSEGV", "message": "bad address"},
        "frames": [{"module": "libapp.so", "function": "render", "line": 42, "in_app": True}],
        "signal": {"name": "SIGSEGV", "number": 11},
    }
    event = make_event(
        type="app_crash", crash=crash, context={"app": {"version": "1.4.1"}}, properties=None
    )

    gateway.post(make_batch(event))

    (row,) = gateway.rows()
    assert row["app_version"] == "1.4.1"
    assert row["app_build"] == "142"  # what the event does not say, the batch says
    assert row["crash_type"] == "SIGSEGV"
    assert row["crash_fatal"] is True
    assert json.loads(row["crash_stack"])[0]["function"] == "render"
    assert row["properties"] == {"$crash.signal": {"name": "SIGSEGV", "number": 11}}


def test_ids_that_are_no_uuids_become_the_same_uuid_each_time(gateway: GatewayUnderTest) -> None:
    for _ in range(2):
        gateway.post(make_batch(make_event(event_id="order-1", session_id="s-1")))

    first, second = gateway.rows()
    assert first["source_event_id"] == "order-1"
    assert first["event_id"] == second["event_id"] != "order-1"
    assert first["session_id"] == second["session_id"]


def test_a_uuid_in_upper_case_is_the_same_id(gateway: GatewayUnderTest) -> None:
    answer = gateway.post(make_batch(make_event(), make_event(event_id=EVENT_ID.upper())))

    assert answer.json()["duplicates"] == 1


@pytest.mark.parametrize(
    ("sent", "echoed"), [("abc-123", True), ("x" * 64, True), ("x" * 65, False), ("a b", False)]
)
def test_the_request_id_is_echoed_and_stored(
    gateway: GatewayUnderTest, sent: str, echoed: bool
) -> None:
    answer = gateway.post(make_batch(), x_request_id=sent)

    (row,) = gateway.rows()
    assert row["request_id"] == answer.headers["x-request-id"]
    assert (row["request_id"] == sent) is echoed


def test_the_key_may_lie_in_three_places(gateway: GatewayUnderTest) -> None:
    other_header = gateway.http.post(
        "/v1/events", content=as_body(make_batch()), headers={"x-write-key": KEY}
    )
    in_body = gateway.http.post("/v1/events", content=as_body(make_batch(write_key=KEY)))

    assert (other_header.status_code, in_body.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "Bearer wrong"}, "unknown_key"),
        ({"authorization": f"Basic {KEY}"}, "missing_key"),
        ({}, "missing_key"),
        ({"authorization": "Bearer ü"}, "unknown_key"),
    ],
)
def test_a_wrong_or_misplaced_key_is_401(
    gateway: GatewayUnderTest, headers: dict[str, str], code: str
) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}

    answer = gateway.http.post("/v1/events", content=as_body(make_batch()), headers=raw)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert KEY not in answer.text


def test_keys_that_differ_in_head_and_body_are_refused(gateway: GatewayUnderTest) -> None:
    answer = gateway.post(make_batch(write_key="another"))

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "keys_differ"


def test_a_web_view_may_post(gateway: GatewayUnderTest) -> None:
    preflight = gateway.http.options("/v1/events", headers={"origin": "https://app.example"})
    answer = gateway.post(make_batch(), origin="https://app.example")

    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_full_gateway_refuses_before_it_reads(tmp_path: Path) -> None:
    under_test = GatewayUnderTest(tmp_path, max_inflight_requests=1)

    with under_test.http:
        under_test.publisher.holds = True
        import threading

        first = threading.Thread(target=under_test.post, args=(make_batch(),))
        first.start()
        while not under_test.publisher.held:
            pass
        second = under_test.post(make_batch())
        under_test.http.portal.call(under_test.publisher.release)  # type: ignore[union-attr]  # set while entered
        first.join()

    assert second.status_code == 503
    assert second.json()["error"]["code"] == "overloaded"
    assert int(second.headers["retry-after"]) >= 5


def test_an_internal_error_is_503_and_counted_and_logged_under_its_request(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(gateway.publisher, "submit", broken)

    answer = gateway.post(make_batch())

    assert answer.status_code == 503
    assert gateway.metrics.bugs._value.get() == 1
    (line,) = caplog.records
    assert vars(line)["request_id"] == answer.headers["x-request-id"]


def test_readiness_tells_each_thing_that_is_lacking(tmp_path: Path) -> None:
    gateway = GatewayUnderTest(tmp_path)
    gateway.keys_path.unlink()
    gateway.keys.refresh()
    gateway.publisher.reason = "Kafka does not answer"
    gateway.app.readiness.is_draining = True

    told = gateway.http.get("/readyz").json()

    assert [one["code"] for one in told["reasons"]] == ["kafka", "keys", "draining"]
    assert all(one["text"] for one in told["reasons"])
    assert b"telemetry_gateway_ready 0.0" in gateway.http.get("/metrics").content


def test_readiness_follows_the_publisher(gateway: GatewayUnderTest) -> None:
    ready = gateway.http.get("/readyz").status_code
    gateway.publisher.reason = "Kafka does not answer"
    unready = gateway.http.get("/readyz")

    assert (ready, unready.status_code) == (200, 503)
    assert unready.json()["reasons"] == [{"code": "kafka", "text": "Kafka does not answer"}]
    assert gateway.http.get("/livez").status_code == 200


def test_the_openapi_document_describes_the_endpoint(gateway: GatewayUnderTest) -> None:
    document = gateway.http.get("/openapi.json").json()

    assert "NativeBatch" in document["components"]["schemas"]
    assert set(document["paths"]["/v1/events"]["post"]["responses"]) >= {"200", "400", "401", "503"}


def test_metrics_are_shown(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch())

    text = gateway.http.get("/metrics").text

    assert 'telemetry_gateway_events_total{outcome="accepted"} 1.0' in text
