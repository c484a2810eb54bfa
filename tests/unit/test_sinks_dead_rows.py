"""Whatever lies in the dead-letter topic becomes a row that the table can take."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.dead_letter import DeadLetter
from sinks.clickhouse.tables import DEAD_LETTERS, SPLICED
from sinks.dead_rows import read_dead_letter
from sinks.sink import Polled

LETTER = DeadLetter(
    source="sink",
    code="invalid_json",
    text="why",
    app_id="demo",
    received_at="2026-11-24T05:20:00.000Z",
    origin_topic="app-events",
    origin_partition=3,
    origin_offset=17,
)


def _fields(record: Polled) -> dict[str, object]:
    fields = json.loads(read_dead_letter(record).value)
    assert isinstance(fields, dict)
    return fields


def test_a_letter_keeps_its_origin_its_reason_and_its_bytes() -> None:
    record = Polled(4, b"k", b"{broken \xff", 1_795_497_600_123, tuple(LETTER.to_headers()))

    fields = _fields(record)

    assert fields["original"] == "{broken \\xff"
    assert fields["original_bytes"] == 9
    assert fields["dead_at"] == "2026-11-24T05:20:00.123Z"
    assert fields["received_at"] == "2026-11-24T05:20:00.000Z"
    assert (fields["origin_topic"], fields["origin_partition"]) == ("app-events", 3)
    assert (fields["origin_offset"], fields["code"], fields["text"]) == (17, "invalid_json", "why")


def test_every_letter_is_a_row_of_its_own() -> None:
    record = Polled(4, None, b"{", 0, tuple(LETTER.to_headers()))

    assert read_dead_letter(record).identity is None


@given(
    st.binary(max_size=200),
    st.lists(
        st.tuples(st.sampled_from(DeadLetter.__struct_fields__), st.binary(max_size=25)), max_size=9
    ),
    st.integers(-1, 2**41),
)
def test_any_record_becomes_a_row_within_the_columns_ranges(
    value: bytes, headers: list[tuple[str, bytes]], timestamp_ms: int
) -> None:
    fields = _fields(Polled(0, None, value, timestamp_ms, tuple(headers)))

    assert set(fields) | set(SPLICED) == set(DEAD_LETTERS.columns)
    assert -1 <= int(str(fields["position"])) < 2**31
    assert -1 <= int(str(fields["origin_partition"])) < 2**31
    assert -1 <= int(str(fields["origin_offset"])) < 2**63


def test_numbers_beyond_their_columns_are_cut() -> None:
    headers = (("position", b"999999999999"), ("origin_partition", b"999999999999"))

    fields = _fields(Polled(0, None, b"", 0, headers))

    assert fields["position"] == fields["origin_partition"] == 2**31 - 1
