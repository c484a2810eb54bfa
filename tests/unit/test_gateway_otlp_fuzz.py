"""Damaged requests of OpenTelemetry's SDK: refused or taken, never an error of ours."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway_app import GatewayUnderTest
from tests.otlp import BOTH, JSON, PROTOBUF, encoded, record, resource_logs

CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
VALUES = {"a": [1, 0.5, None, True, b"x", {"b": "c"}], "exception.type": "E", "user.id": 7}
GOOD = resource_logs(record("app.crash", attributes=VALUES, body={"a": [1]}), record())
LIKELY = [b"\x0a", b"\x12", b"\x1a", b"\xff", b"\x00", b'"', b"{", b"[", b"]", b"null", b"1e999"]

damages = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 8),
        st.one_of(st.sampled_from(LIKELY), st.binary(max_size=4)),
    ),
    min_size=1,
    max_size=6,
)
KEYS = [
    "resourceLogs", "resource", "scopeLogs", "scope", "logRecords", "attributes", "key", "value",
    "stringValue", "intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue", "values",
    "body", "timeUnixNano", "observedTimeUnixNano", "eventName", "name", "x",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=4)
    ),
    max_leaves=20,
)
fuzzing = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def recorded() -> list[bytes]:
    """The bodies of all recorded requests, plain."""
    bodies = []
    for path in sorted(CAPTURES.glob("otlp-*.json")):
        for sent in json.loads(path.read_text(encoding="utf-8"))["requests"]:
            body = base64.b64decode(sent["body_base64"])
            bodies.append(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
    return bodies


BODIES = [*((PROTOBUF, body) for body in recorded()), *((one, encoded(one, GOOD)) for one in BOTH)]


def answered(gateway: GatewayUnderTest, body: bytes, content_type: str) -> int:
    answer = gateway.post(body, "/v1/logs", content_type=content_type)

    assert answer.status_code in (200, 400, 413)
    assert answer.headers["content-type"] == content_type
    assert gateway.metrics.bugs._value.get() == 0
    for one in gateway.publisher.of("app-events"):
        json.loads(one.value)
    gateway.publisher.records.clear()
    return int(answer.status_code)


@given(st.sampled_from(BODIES), damages)
@fuzzing
def test_a_damaged_request_is_never_an_error_of_ours(
    gateway: GatewayUnderTest,
    request_sent: tuple[str, bytes],
    damage: list[tuple[float, int, bytes]],
) -> None:
    content_type, body = request_sent
    for where, size, instead in damage:
        at = int(where * len(body))
        body = body[:at] + instead + body[at + size :]

    answered(gateway, body, content_type)


@given(json_values, st.sampled_from(["body", "attributes", "timeUnixNano", "eventName", "spanId"]))
@fuzzing
def test_a_record_of_any_shape_is_never_an_error_of_ours(
    gateway: GatewayUnderTest, value: object, field: str
) -> None:
    one = {**record(), field: value}
    body = json.dumps({"resourceLogs": [resource_logs(one, value), value]}).encode()

    answered(gateway, body, JSON)


@given(json_values)
@fuzzing
def test_a_body_of_any_shape_is_never_an_error_of_ours(
    gateway: GatewayUnderTest, value: object
) -> None:
    answered(gateway, json.dumps({"resourceLogs": value}).encode(), JSON)
    answered(gateway, json.dumps(value).encode(), JSON)


def test_a_request_cut_anywhere_is_never_an_error_of_ours(
    gateway: GatewayUnderTest,
) -> None:
    for content_type, body in BODIES:
        statuses = {answered(gateway, body[:cut], content_type) for cut in range(0, len(body), 7)}
        assert 400 in statuses
        assert answered(gateway, body, content_type) == 200
