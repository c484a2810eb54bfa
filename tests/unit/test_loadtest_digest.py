"""What an event says is the same digest as sent, in Kafka and in ClickHouse, and no other."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from loadtest.devices import Post, body_of, fleet
from loadtest.digest import NO_SESSION, Record, of_record, of_row, of_sent
from tests.builders import RECEIVED_MS, make_batch, make_event
from tests.gateway_app import GatewayUnderTest

CRASH = {
    "exception": {"type": "SIGSEGV", "message": 'bad "address"'},
    "frames": [{"module": "libdemo.so", "function": "f", "line": 3}],
}


def records(gateway: GatewayUnderTest) -> list[Record]:
    return [
        msgspec.json.decode(one.value, type=Record) for one in gateway.publisher.of("app-events")
    ]


def posts(seed: int) -> list[Post]:
    return [post for phone in fleet(seed, 60, RECEIVED_MS) for post in phone]


def test_what_a_fleet_sends_lies_in_kafka_with_the_same_digest(gateway: GatewayUnderTest) -> None:
    sent: dict[str, str] = {}
    for post in posts(3):
        body = msgspec.json.encode(body_of(post, RECEIVED_MS))
        assert gateway.post(body).status_code == 200
        sent |= {str(one["event_id"]): of_sent(one) for one in post.events if "event_id" in one}

    found = {one.event_id: of_record(one) for one in records(gateway)}
    assert len(found) > 500
    assert {one.event_type for one in records(gateway)} >= {"app_crash", "track", "screen"}
    assert found == {name: sent[name] for name in found}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "app_close"},
        {"type": "something_new"},
        {"timestamp": "2026-11-24T05:19:58.001Z"},
        {"sequence": 42},
        {"session_id": "0192f0c0-4c1e-7000-8000-000000000002"},
        {"session_id": None},
        {"user_id": "user-1"},
        {"properties": {"from_background": True}},
        {"properties": {"from_background": "false "}},
        {"properties": {}},
        {"type": "app_crash", "crash": CRASH},
    ],
)
def test_another_event_has_another_digest(
    gateway: GatewayUnderTest, changes: dict[str, Any]
) -> None:
    event = make_event(**changes)
    body = msgspec.json.encode(make_batch(event))
    assert gateway.post(body).status_code == 200

    (record,) = records(gateway)
    assert of_record(record) == of_sent(event)
    assert of_sent(event) != of_sent(make_event())


@pytest.mark.parametrize(
    "changes",
    [
        {"crash": {**CRASH, "exception": {"type": "SIGSEGV"}}},
        {"crash": {**CRASH, "exception": {"type": "SIGABRT", "message": 'bad "address"'}}},
        {"crash": {**CRASH, "frames": [{"module": "libdemo.so", "function": "f", "line": 4}]}},
    ],
)
def test_another_crash_has_another_digest(changes: dict[str, Any]) -> None:
    crash = make_event(type="app_crash", crash=CRASH)

    assert of_sent({**crash, **changes}) != of_sent(crash)


@pytest.mark.parametrize("missing", ["type", "timestamp"])
def test_an_event_that_breaks_the_contract_has_none(missing: str) -> None:
    assert of_sent(make_event(**{missing: None})) == ""


def test_a_row_of_clickhouse_says_the_same() -> None:
    event = make_event(
        type="app_crash",
        session_id=None,
        user_id="user-1",
        crash=CRASH,
        properties={"text": 'a\n"b"', "price": 9.99, "on": True, "none": None, "deep": {"a": [1]}},
    )
    texts = {"text": 'a\n"b"', "price": "9.99", "on": "true", "none": "null", "deep": '{"a":[1]}'}

    assert of_sent(event) == of_row(
        "app_crash",
        "",
        RECEIVED_MS - 2000,
        41,
        NO_SESSION,
        "user-1",
        {**texts, "$crash.signal": "{}"},
        ("SIGSEGV", 'bad "address"', json.dumps(CRASH["frames"], separators=(",", ":"))),
    )
