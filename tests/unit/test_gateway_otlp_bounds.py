"""Bodies that would become huge in memory, told from their bytes."""

from __future__ import annotations

import pytest

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.otlp.binary import MAX_RECORD_BYTES
from gateway.protocols.otlp.logs import MAX_RECORDS
from gateway.protocols.otlp.parts import MAX_OWN_BYTES, parts_of
from gateway.protocols.otlp.text import MAX_VALUES
from tests.gateway_app import KEY, GatewayUnderTest
from tests.otlp import JSON, PROTOBUF, encoded, record, resource_logs

RESOURCE, SCOPE, RECORD = b"\x0a", b"\x12", b"\x12"  # tags: fields 1, 2 and 2
UNKNOWN = b"\x7a\x00"  # an empty field 15


def field(tag: bytes, inside: bytes) -> bytes:
    size = len(inside)
    varint = bytearray()
    while size > 0x7F:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    return tag + bytes([*varint, size]) + inside


def nested(level: str, count: int) -> bytes:
    """A body with so many empty messages of one level."""
    match level:
        case "resources":
            return (RESOURCE + b"\0") * count
        case "scopes":
            return field(RESOURCE, (SCOPE + b"\0") * count)
        case _:
            return field(RESOURCE, field(SCOPE, (RECORD + b"\0") * count))


@pytest.mark.parametrize("level", ["resources", "scopes", "log records"])
def test_more_than_the_limit_is_refused_before_anything_is_built(level: str) -> None:
    parts_of(nested(level, MAX_RECORDS))

    with pytest.raises(Refused, match=f"more than {MAX_RECORDS} {level}") as refused:
        parts_of(nested(level, MAX_RECORDS + 1))
    assert refused.value.code is RefusalCode.TOO_MANY_EVENTS


def test_records_are_counted_over_all_resources_and_scopes() -> None:
    half = (RECORD + b"\0") * (MAX_RECORDS // 2 + 1)
    body = field(RESOURCE, field(SCOPE, half)) + field(RESOURCE, field(SCOPE, half))

    with pytest.raises(Refused):
        parts_of(body)


def test_fields_that_nobody_knows_are_not_walked_for_ever() -> None:
    with pytest.raises(Refused):
        parts_of(UNKNOWN * 1_000_000)


@pytest.mark.parametrize("end", [b"\x0a", b"\x0a\xff", b"\x0b", b"\x0a\x05ab", b"\xff" * 11])
def test_what_is_no_protobuf_is_refused(end: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parts_of(field(b"\x7a", b"abc") + end)
    assert refused.value.code is RefusalCode.INVALID_ENCODING


def test_a_resource_as_large_as_no_event_may_be_is_refused() -> None:
    attributes = field(b"\x0a", b"\x0a\0" * MAX_OWN_BYTES)

    with pytest.raises(Refused) as refused:
        parts_of(field(RESOURCE, attributes))
    assert refused.value.code is RefusalCode.CONTEXT_TOO_LARGE


def test_a_record_as_large_as_no_event_may_be_is_rejected_alone(gateway: GatewayUnderTest) -> None:
    large = field(RECORD, b"\x32\0" * MAX_RECORD_BYTES)  # empty attributes
    body = encoded(PROTOBUF, resource_logs(record("app.crash"))) + field(
        RESOURCE, field(SCOPE, large)
    )

    answer = gateway.post(body, "/v1/logs", authorization=f"Bearer {KEY}", content_type=PROTOBUF)

    assert answer.status_code == 200
    assert (gateway.count("accepted"), gateway.count("rejected")) == (1, 1)


@pytest.mark.parametrize("member", [b"{}", b'{"key":"a"}', b"[]"])
def test_more_objects_than_any_body_has_are_refused(
    gateway: GatewayUnderTest, member: bytes
) -> None:
    members = b",".join([member] * (MAX_VALUES + 1))
    records = b'[{"attributes":[%b]}]' % members
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":%b}]}]}' % records

    answer = gateway.post(body, "/v1/logs", authorization=f"Bearer {KEY}")

    assert answer.status_code == 413
    assert f"more than {MAX_VALUES} objects and arrays" in answer.text


def test_texts_may_hold_as_many_braces_as_they_like(gateway: GatewayUnderTest) -> None:
    told = {"stack": '{\\"[' * MAX_VALUES}  # as long as no event may be: rejected for that alone
    logs = resource_logs(record(attributes={}, body=told), record())

    answer = gateway.post(encoded(JSON, logs), "/v1/logs", authorization=f"Bearer {KEY}")

    assert answer.status_code == 200
    assert (gateway.count("accepted"), gateway.count("rejected")) == (1, 1)


def test_a_post_of_two_million_records_is_refused(gateway: GatewayUnderTest) -> None:
    body = field(RESOURCE, field(SCOPE, (RECORD + b"\0") * 2_000_000))

    answer = gateway.post(body, "/v1/logs", content_type=PROTOBUF)

    assert answer.status_code == 413
    assert gateway.publisher.records == []


def test_a_big_body_of_whole_records_is_taken(gateway: GatewayUnderTest) -> None:
    records = [record(attributes={"number": one, "text": "x" * 500}) for one in range(300)]
    body = encoded(PROTOBUF, resource_logs(*records))

    answer = gateway.post(body, "/v1/logs", authorization=f"Bearer {KEY}", content_type=PROTOBUF)

    assert answer.status_code == 200
    assert gateway.count("accepted") == 300
