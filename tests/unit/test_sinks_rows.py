"""Records become rows by their own bytes, or say why they never can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.record import COLUMNS
from sinks.clickhouse.tables import EVENTS, SPLICED, body_of, constant_of
from sinks.rows import EventRow, read_event
from sinks.sink import Bad, Polled, Row
from tests.builders import EVENT_ID, make_record
from tests.fakes_sink import make_polled

HOUR = 1_795_497_600_000 // 3_600_000  # of the builders' received_at


def _read(value: bytes | None, timestamp_ms: int = 0) -> Row | Bad:
    return read_event(Polled(5, b"device-1", value, timestamp_ms))


def _bad(value: bytes | None, timestamp_ms: int = 0) -> Bad:
    found = _read(value, timestamp_ms)
    assert isinstance(found, Bad)
    return found


def _row(**changes: Any) -> Row:
    found = read_event(make_polled(5, **changes))
    assert isinstance(found, Row)
    return found


def test_a_record_may_set_every_column_of_the_contract_and_no_other() -> None:
    assert EventRow.__struct_fields__ == COLUMNS
    assert set(EVENTS.columns) == {*COLUMNS, *SPLICED}


def test_a_row_is_the_record_itself() -> None:
    record = make_polled(5)

    row = read_event(record)

    assert isinstance(row, Row)
    assert row.value == record.value
    assert row.offset == 5
    assert row.bucket == ("demo", HOUR)


@pytest.mark.parametrize("column", [*SPLICED, "inserted_at", "shoe_size"])
def test_a_record_cannot_set_what_the_sink_or_nobody_sets(column: str) -> None:
    found = _bad(json.dumps(make_record(**{column: 1})).encode())

    assert found.code == "invalid_record"
    assert column in found.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"received_at": None}, "invalid_record"),
        ({"event_id": "no-uuid"}, "invalid_record"),
        ({"event_id": "0192f0c04c1e7a108a541f2f3c4d5e6f"}, "invalid_record"),
        ({"session_id": ""}, "invalid_record"),
        ({"sequence": -1}, "invalid_record"),
        ({"sequence": 2**64}, "invalid_record"),
        ({"sequence": "41"}, "invalid_record"),
        ({"duration_ms": 2**32}, "invalid_record"),
        ({"crash_group": 2**64}, "invalid_record"),
        ({"crash_group_version": 256}, "invalid_record"),
        ({"crash_fatal": 1}, "invalid_record"),
        ({"os_name": 15}, "invalid_record"),
        ({"os_name": {"a": 1}}, "invalid_record"),
        ({"properties": [1]}, "invalid_record"),
        ({"app_id": ""}, "invalid_record"),
        ({"received_at": "2026-11-24T05:20:00"}, "invalid_record"),
        ({"occurred_at": "9999-01-01T00:00:00Z"}, "invalid_time"),
        ({"occurred_at": "1905-01-01T00:00:00Z"}, "invalid_time"),
        ({"sent_at": "2200-01-01T00:00:00Z"}, "invalid_time"),
        ({"ts": "2024-11-24T05:20:00Z"}, "invalid_time"),
        ({"ts": "2026-11-26T05:20:00Z"}, "invalid_time"),
    ],
)
def test_what_clickhouse_would_refuse_or_bend_is_bad(changes: dict[str, Any], code: str) -> None:
    assert _bad(json.dumps(make_record(**changes)).encode()).code == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "no_value"),
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_record"),
        (json.dumps(make_record()).encode() * 2, "invalid_json"),
        (b'{"event_id":"\xff"}', "invalid_utf8"),
        (b'{"properties":{"a":' + b"[" * 100_000, "too_deep"),
    ],
)
def test_what_is_no_object_is_bad(value: bytes | None, code: str) -> None:
    assert _bad(value).code == code


def test_a_bad_record_tells_whose_it_is_where_that_can_be_read() -> None:
    readable = _bad(json.dumps(make_record(sequence=-1)).encode(), timestamp_ms=7_200_000)
    broken = _bad(b"{", timestamp_ms=7_200_000)

    assert readable.bucket == ("demo", HOUR)
    assert readable.event_id == EVENT_ID
    assert readable.app_version == "1.4.2"
    assert broken.bucket == ("", 2)


@given(st.binary(max_size=400))
def test_any_bytes_have_an_outcome(value: bytes) -> None:
    assert isinstance(_read(value), Row | Bad)


def test_a_copy_has_its_firsts_identity_and_nobody_elses() -> None:
    first = _row(event_id=EVENT_ID)

    assert (
        _row(event_id=EVENT_ID, received_at="2026-11-24T06:00:00.000Z").identity == first.identity
    )
    assert _row(event_id=EVENT_ID.upper()).identity == first.identity
    assert _row(event_id=EVENT_ID, device_id="device-2").identity != first.identity
    assert _row(event_id=EVENT_ID, app_id="other").identity != first.identity
    assert _row(event_id=EVENT_ID.replace("6f", "70")).identity != first.identity


Texts = st.text(max_size=20)


@given(
    st.dictionaries(Texts, st.one_of(Texts, st.integers(), st.booleans(), st.none()), max_size=5),
    Texts,
    st.sampled_from(["", " ", "\n", " \r\n\t"]),
    st.integers(0, 2**63),
)
def test_a_spliced_row_is_one_json_object_on_its_own(
    properties: dict[str, Any], reason: str, tail: str, offset: int
) -> None:
    record = make_record(properties=properties, crash_reason=reason)
    value = (json.dumps(record, ensure_ascii=False) + tail).encode("utf-8", "replace")
    row = read_event(Polled(offset, None, value, 0))
    assert isinstance(row, Row)

    body = body_of([row], constant_of("c", "t", 3, 0, offset + 1), {row.bucket: (2, 1)})

    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
    assert json.loads(body) == {
        **json.loads(value),
        "kafka_cluster": "c",
        "kafka_topic": "t",
        "kafka_partition": 3,
        "chunk_start": 0,
        "chunk_end": offset + 1,
        "chunk_duplicates": 2,
        "chunk_dead": 1,
        "kafka_offset": offset,
    }
