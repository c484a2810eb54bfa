"""Hostile and broken bodies: each gets a clear answer, none costs its neighbours or the process."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import as_body, make_batch, make_event
from tests.gateway_app import GatewayUnderTest

BOMB = b"\0" * 50_000_000
GOOD = as_body(make_batch())


def _undeclared_zstd(plain: bytes) -> bytes:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return stream.compress(plain) + stream.flush()


def _nested(depth: int) -> bytes:
    return b'{"sent_at":"2026-11-24T05:20:00Z","events":' + b"[" * depth + b"]" * depth + b"}"


REFUSED: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("empty body", b"", {}, 400, "empty_body"),
    ("not JSON", b"hello", {}, 400, "invalid_json"),
    ("an array", b"[]", {}, 400, "invalid_json"),
    ("cut JSON", GOOD[:-5], {}, 400, "invalid_json"),
    ("trailing bytes", GOOD + b"x", {}, 400, "invalid_json"),
    ("no events", as_body(make_batch(events=[])), {}, 400, "no_events"),
    ("events missing", b'{"sent_at":"2026-11-24T05:20:00Z"}', {}, 400, "missing_field"),
    ("events no array", as_body(make_batch(events={})), {}, 400, "invalid_field"),
    ("sent_at missing", as_body(make_batch(sent_at=None)), {}, 400, "missing_field"),
    (
        "a million events",
        b'{"sent_at":1,"events":[' + b"{}," * 10**6 + b"{}]}",
        {},
        413,
        "too_many_events",
    ),
    ("1,001 events", as_body(make_batch(*[make_event()] * 1001)), {}, 413, "too_many_events"),
    ("nested too deep", _nested(100_000), {}, 400, "too_deep"),
    (
        "batch context of 400 KB",
        as_body(make_batch(context={"device": {"id": "d"}, "x": "y" * 400_000})),
        {},
        400,
        "context_too_large",
    ),
    ("5 MB", b" " * 5_000_000, {}, 413, "body_too_large"),
    ("wrong content type", GOOD, {"content_type": "text/plain"}, 415, "unsupported_content_type"),
    (
        "form",
        GOOD,
        {"content_type": "application/x-www-form-urlencoded"},
        415,
        "unsupported_content_type",
    ),
    ("cut gzip", gzip.compress(GOOD)[:-4], {"content_encoding": "gzip"}, 400, "invalid_encoding"),
    (
        "two gzip members",
        gzip.compress(GOOD) * 2,
        {"content_encoding": "gzip"},
        400,
        "invalid_encoding",
    ),
    ("no gzip at all", GOOD, {"content_encoding": "gzip"}, 400, "invalid_encoding"),
    ("gzip bomb", gzip.compress(BOMB), {"content_encoding": "gzip"}, 413, "body_too_large"),
    ("zstd bomb", zstandard.compress(BOMB), {"content_encoding": "zstd"}, 413, "body_too_large"),
    (
        "zstd bomb, size undeclared",
        _undeclared_zstd(BOMB),
        {"content_encoding": "zstd"},
        413,
        "body_too_large",
    ),
    (
        "cut zstd",
        zstandard.compress(GOOD)[:-4],
        {"content_encoding": "zstd"},
        400,
        "invalid_encoding",
    ),
    (
        "nested gzip",
        gzip.compress(gzip.compress(GOOD)),
        {"content_encoding": "gzip"},
        400,
        "invalid_json",
    ),
    (
        "two encodings",
        gzip.compress(GOOD),
        {"content_encoding": "gzip, gzip"},
        415,
        "unsupported_encoding",
    ),
    ("compress", GOOD, {"content_encoding": "compress"}, 415, "unsupported_encoding"),
    ("no brotli", GOOD, {"content_encoding": "br"}, 400, "invalid_encoding"),
    ("UTF-16", GOOD.decode().encode("utf-16"), {}, 400, "invalid_json"),
]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_an_unreadable_body_is_refused_clearly(
    gateway: GatewayUnderTest, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = gateway.post(body, **headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert gateway.publisher.records == []


REJECTED: list[tuple[str, Any, str]] = [
    ("no event", 5, "invalid_json"),
    ("id missing", make_event(event_id=None), "missing_field"),
    ("time missing", make_event(timestamp=None), "missing_field"),
    ("id null", {**make_event(), "event_id": None}, "missing_field"),
    ("id no text", make_event(event_id=7), "invalid_field"),
    ("id empty", make_event(event_id=""), "invalid_field"),
    ("id too long", make_event(event_id="x" * 65), "id_too_long"),
    ("session too long", make_event(session_id="x" * 65), "id_too_long"),
    ("name too long", make_event(type="track", name="x" * 129), "id_too_long"),
    ("type too long", make_event(type="x" * 129), "id_too_long"),
    ("track without a name", make_event(type="track"), "missing_field"),
    ("sequence negative", make_event(sequence=-1), "invalid_field"),
    ("sequence of 5,000 digits", make_event(sequence=int("9" * 4000)), "invalid_field"),
    (
        "256 properties",
        make_event(properties=dict.fromkeys(map(str, range(256)), 1)),
        "too_many_properties",
    ),
    ("property key too long", make_event(properties={"k" * 129: 1}), "id_too_long"),
    ("properties no object", make_event(properties=[1]), "invalid_field"),
    ("33 KB", make_event(properties={"a": "x" * 33_000}), "event_too_large"),
    (
        "event context of 9 KB",
        make_event(context={"app": {"version": "x" * 9_000}}),
        "context_too_large",
    ),
    (
        "crash of 300 KB",
        make_event(type="app_crash", crash={"stacktrace": "x" * 300_000}),
        "event_too_large",
    ),
    ("device id too long", make_event(context={"device": {"id": "x" * 65}}), "id_too_long"),
]


@pytest.mark.parametrize(
    ("event", "code"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED]
)
def test_a_bad_event_is_rejected_alone(gateway: GatewayUnderTest, event: Any, code: str) -> None:
    good = make_event(event_id="0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e70")

    answer = gateway.post(make_batch(event, good))

    body = answer.json()
    assert (answer.status_code, body["accepted"]) == (200, 1)
    assert [(one["index"], one["code"]) for one in body["rejected"]] == [(0, code)]
    assert (
        "$.events[0]" in body["rejected"][0]["message"]
        or "$.context" in body["rejected"][0]["message"]
    )


def _names(pairs: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in pairs]


KEPT: list[tuple[str, bytes]] = [
    ("gzip", gzip.compress(GOOD)),
    ("zstd", zstandard.compress(GOOD)),
    ("zstd, size undeclared", _undeclared_zstd(GOOD)),
]


@pytest.mark.parametrize(("name", "body"), KEPT, ids=[case[0] for case in KEPT])
def test_a_compressed_body_is_read(gateway: GatewayUnderTest, name: str, body: bytes) -> None:
    answer = gateway.post(body, content_encoding=name.partition(",")[0])

    assert answer.json()["accepted"] == 1


REPAIRED: list[tuple[str, bytes]] = [
    ("BOM", b"\xef\xbb\xbf" + GOOD),
    ("NaN", GOOD.replace(b"false", b"NaN")),
    ("Infinity", GOOD.replace(b"false", b"-Infinity")),
    ("lone surrogate", GOOD.replace(b"false", b'"\\ud800"')),
    ("bad UTF-8 in a known field", GOOD.replace(b"Pixel 8", b"Pixel \xff")),
    ("bad UTF-8 in an unknown field", GOOD.replace(b'"sequence"', b'"q":"\xfe","sequence"')),
    ("bad UTF-8 in a property", GOOD.replace(b"false", b'"\xc3\x28"')),
    ("number beyond any float", GOOD.replace(b"false", b"1e400")),
    ("integer of 5,000 digits in a property", GOOD.replace(b"false", b"7" * 5_000)),
    ("escaped NUL", GOOD.replace(b"false", b'"a\\u0000b"')),
    ("duplicate keys", GOOD.replace(b'"sequence": 41', b'"sequence": 40, "sequence": 41')),
    ("duplicate property keys", GOOD.replace(b"false", b'1, "from_background": 2')),
    ("pretty printed", json.dumps(make_batch(), indent=4).encode()),
    ("nested 300 deep", GOOD.replace(b"false", b"[" * 300 + b"]" * 300)),
    (
        "crash no object of ours",
        as_body(make_batch(make_event(type="app_crash", crash={"kind": "odd", "frames": 7}))),
    ),
    (
        "context no object",
        as_body(make_batch(make_event(context={"device": {"id": "d"}}), context="x")),
    ),
    ("no content type", GOOD),
]


@pytest.mark.parametrize("body", [case[1] for case in REPAIRED], ids=[case[0] for case in REPAIRED])
def test_what_can_be_kept_is_kept(gateway: GatewayUnderTest, body: bytes) -> None:
    answer = gateway.post(body)

    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    (record,) = gateway.publisher.of("app-events")
    names = json.loads(record.value, object_pairs_hook=_names, parse_int=str)
    assert len(names) == len(set(names))
    record.value.decode("utf-8")


@pytest.mark.parametrize(
    ("timestamp", "quality"),
    [
        ("1970-01-01T00:00:00Z", "ancient"),
        ("2100-01-01T00:00:00Z", "future"),
        ("9999-12-31T23:59:59Z", "invalid"),
        ("0001-01-01T00:00:00Z", "invalid"),
        ("yesterday", "invalid"),
        ("", "invalid"),
        (True, "invalid"),
        ({"a": 1}, "invalid"),
        (1e30, "invalid"),
        ("2026-11-24T05:19:58", "as_sent"),
        (1_795_497_598_000, "as_sent"),
        ("1795497598", "as_sent"),
    ],
)
def test_a_time_that_is_none_is_kept_and_marked(
    gateway: GatewayUnderTest, timestamp: Any, quality: str
) -> None:
    answer = gateway.post(make_batch(make_event(timestamp=timestamp)))

    assert answer.json()["accepted"] == 1
    (row,) = gateway.rows()
    assert row["time_quality"] == quality
    if quality == "invalid":
        assert row["occurred_at"] == "1970-01-01T00:00:00Z"
        assert "$timestamp" in row["properties"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_wrong_method_is_405_and_told_the_right_one(
    gateway: GatewayUnderTest, method: str
) -> None:
    answer = gateway.http.request(method, "/v1/events")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "OPTIONS, POST"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_events = st.dictionaries(
    st.sampled_from([*make_event(), "name", "crash", "context", "user_id", "app_id", "x"]),
    _values,
).map(lambda changes: {**make_event(), **changes})


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(events=st.lists(_events | _values, min_size=1, max_size=5), context=_values)
def test_any_json_gets_verdicts_that_sum_up(
    gateway: GatewayUnderTest, events: list[Any], context: Any
) -> None:
    gateway.publisher.records.clear()

    answer = gateway.post(as_body(make_batch(events=events, context=context)))

    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        body = answer.json()
        assert body["accepted"] + body["duplicates"] + len(body["rejected"]) == len(events)
        assert body["accepted"] == len(gateway.publisher.of("app-events"))


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(cut=st.integers(0, len(GOOD)), flip=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_damaged_body_is_answered(
    gateway: GatewayUnderTest, cut: int, flip: int, byte: int
) -> None:
    damaged = bytearray(GOOD)
    damaged[flip] = byte

    statuses = {gateway.post(GOOD[:cut]).status_code, gateway.post(bytes(damaged)).status_code}

    assert statuses <= {200, 400}


def _with_names(count: int) -> bytes:
    """A body of so many keys that nobody knows, each as small as it can be."""
    names = b"".join(b'"%x":1,' % number for number in range(count))
    return b"{" + names + GOOD.lstrip(b"{")


def test_names_beyond_a_limit_are_not_looked_at(gateway: GatewayUnderTest) -> None:
    answer = gateway.post(_with_names(100_000))

    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    (row,) = gateway.rows()
    unknown = {name for name in row["properties"] if name.startswith("$batch.")}
    assert len(unknown) == 256
    assert len(row["properties"]["$batch.left_out"]) == 20


def test_what_is_left_out_does_not_depend_on_the_process(gateway: GatewayUnderTest) -> None:
    """Kept are the first names as they were sent: a re-sent event is the same row."""
    gateway.post(_with_names(300))

    (row,) = gateway.rows()
    kept = [name for name in row["properties"] if name.startswith("$batch.")]
    assert kept == [*[f"$batch.{number:x}" for number in range(255)], "$batch.left_out"]
    assert (
        row["properties"]["$batch.left_out"] == sorted(f"{one:x}" for one in range(255, 300))[:20]
    )
