"""Bodies of protobuf that would become huge in memory, told from their bytes."""

from __future__ import annotations

import pytest

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.otlp.bounds import SMALL_BYTES, check
from gateway.protocols.otlp.logs import MAX_RECORDS
from tests.gateway_app import KEY, GatewayUnderTest
from tests.otlp import PROTOBUF, encoded, record, resource_logs

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
    """A body with so many empty messages of one level, and one unknown field that makes it big."""
    filler = field(b"\x7a", b"\0" * SMALL_BYTES)
    match level:
        case "resources":
            return (RESOURCE + b"\0") * count + filler
        case "scopes":
            return field(RESOURCE, (SCOPE + b"\0") * count) + filler
        case _:
            return field(RESOURCE, field(SCOPE, (RECORD + b"\0") * count)) + filler


@pytest.mark.parametrize("level", ["resources", "scopes", "log records"])
def test_more_than_the_limit_is_refused_before_anything_is_built(level: str) -> None:
    check(nested(level, MAX_RECORDS))

    with pytest.raises(Refused, match=f"more than {MAX_RECORDS} {level}") as refused:
        check(nested(level, MAX_RECORDS + 1))
    assert refused.value.code is RefusalCode.TOO_MANY_EVENTS


def test_records_are_counted_over_all_resources_and_scopes() -> None:
    half = (RECORD + b"\0") * (MAX_RECORDS // 2 + 1)
    body = field(RESOURCE, field(SCOPE, half)) + field(RESOURCE, field(SCOPE, half))

    check(body)  # too small to be a danger
    with pytest.raises(Refused):
        check(body + field(b"\x7a", b"\0" * SMALL_BYTES))


def test_fields_that_nobody_knows_are_not_walked_for_ever() -> None:
    with pytest.raises(Refused):
        check(UNKNOWN * 1_000_000)


@pytest.mark.parametrize("end", [b"\x0a", b"\x0a\xff", b"\x0b", b"\x0a\x05ab", b"\xff" * 11])
def test_what_is_no_protobuf_is_left_to_its_parser(end: bytes) -> None:
    check(field(b"\x7a", b"\0" * SMALL_BYTES) + end)


def test_a_post_of_two_million_records_is_refused(gateway: GatewayUnderTest) -> None:
    body = field(RESOURCE, field(SCOPE, (RECORD + b"\0") * 2_000_000))

    answer = gateway.post(body, "/v1/logs", content_type=PROTOBUF)

    assert answer.status_code == 413
    assert gateway.publisher.records == []


def test_a_big_body_of_whole_records_is_taken(gateway: GatewayUnderTest) -> None:
    records = [record(attributes={"number": one, "text": "x" * 500}) for one in range(300)]
    body = encoded(PROTOBUF, resource_logs(*records))
    assert len(body) > SMALL_BYTES

    answer = gateway.post(body, "/v1/logs", authorization=f"Bearer {KEY}", content_type=PROTOBUF)

    assert answer.status_code == 200
    assert gateway.count("accepted") == 300
