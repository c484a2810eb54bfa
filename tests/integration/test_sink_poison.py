"""Records that can never be stored: one dead letter each, and their neighbours do not notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.topics import APP_EVENTS_DEAD
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, wait_until
from tests.sink_rig import SinkRig

ROOMY: dict[str, Any] = {
    "chunk_rows": 1000,
    "chunk_age_seconds": 1.0,
}  # all records of a test in one chunk


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    under_test = SinkRig(kafka, clickhouse, tmp_path)
    yield under_test
    under_test.close()


def _twice(value: bytes) -> bytes:
    """The same record with a key said twice: only the engine refuses it."""
    return value[:-1] + b', "app_version": "twice"}'


def test_each_poison_record_becomes_one_dead_letter_and_its_neighbours_rows(rig: SinkRig) -> None:
    poison = {
        "invalid_json": rig.record()[:-9],
        "invalid_record": rig.record(sequence="many"),
        "invalid_record ": rig.record(event_id="no-uuid"),
        "refused": _twice(rig.record()),
    }
    values = [one for bad in poison.values() for one in (rig.record(), bad)] + [rig.record()]

    offsets = rig.send(values, partition=1)
    rig.start(**ROOMY)
    rig.wait_idle()

    letters = rig.letters(1, offsets)
    assert rig.offsets() == offsets[0::2]
    assert [offset for offset, _, _ in letters] == offsets[1::2]
    assert [value for _, value, _ in letters] == list(poison.values())
    assert [letter.code for _, _, letter in letters] == [name.strip() for name in poison]
    assert all(letter.source == "sink" and letter.text for _, _, letter in letters)


def test_a_bad_first_copy_does_not_shadow_its_good_second_one(rig: SinkRig) -> None:
    good = rig.record()

    offsets = rig.send([_twice(good), good, good], partition=2)
    rig.start(**ROOMY)
    rig.wait_idle()

    assert rig.offsets() == [offsets[1]]
    assert [offset for offset, _, _ in rig.letters(2, offsets)] == [offsets[0]]


def test_the_account_of_every_chunk_is_its_number_of_records(rig: SinkRig) -> None:
    copied, early = rig.record(), "2026-11-24T03:59:59.999Z"
    values = [
        copied,
        rig.record(received_at=early, ts=early),
        copied,
        rig.record(sequence=-1),
        rig.record(sequence=-1, received_at="2026-11-24T01:00:00.000Z"),  # an hour without rows
        rig.record()[:-9],  # nobody's
        _twice(rig.record()),
    ]

    offsets = rig.send(values, partition=3)
    rig.start(**ROOMY)
    rig.wait_idle()

    first, end = offsets[0], offsets[-1] + 1
    chunks = rig.clickhouse.rows(
        "SELECT chunk_start, any(chunk_end), sum(inserted + duplicates + dead)"
        " FROM telemetry.chunks FINAL WHERE kafka_partition = 3 AND chunk_end > {first:UInt64}"
        " AND kafka_topic = 'app-events' GROUP BY chunk_start ORDER BY chunk_start",
        first=first,
    )
    spans = [(int(start), int(stop), int(records)) for start, stop, records in chunks]
    of_app = rig.rows("toHour(hour), inserted, duplicates, dead", "chunks FINAL", "hour")
    assert spans[-1][1] == end
    assert all(records == stop - start for start, stop, records in spans)
    assert [tuple(int(one) for one in row) for row in of_app] == [
        (1, 0, 0, 1),
        (3, 1, 0, 0),
        (5, 1, 1, 2),
    ]


def test_a_flood_of_poison_stops_the_sink_before_its_first_letter(rig: SinkRig) -> None:
    rig.start(**ROOMY)
    rig.wait_idle()
    rig.sinks[0].stop()

    offsets = rig.send([rig.record(sequence=-1) for _ in range(6)], partition=4)
    braked = rig.start(brake_dead_letters=6, **ROOMY)
    code = braked.popen.wait(60)
    letters_then = rig.letters(4, offsets)
    rig.start(brake_dead_letters=7, **ROOMY)
    rig.wait_idle()

    log = braked.log_file.read_text()
    assert code == 1
    assert "6 records in a row cannot be stored" in log.splitlines()[-1]
    assert letters_then == []
    assert [offset for offset, _, _ in rig.letters(4, offsets)] == offsets


def test_dead_letters_of_door_and_sink_are_stored(rig: SinkRig) -> None:
    door = DeadLetter(
        source="gateway",
        code="missing_field",
        text="no timestamp",
        app_id=rig.app,
        received_at="2026-11-24T05:20:00.000Z",
        request_id="r-7",
        position=3,
    )
    rig.send([b'{"type":\xff}'], 1, APP_EVENTS_DEAD.name, door.to_headers())
    (offset,) = rig.send([rig.record(sequence=-1)], partition=5)
    rig.start(**ROOMY)
    wait_until(lambda: len(rig.rows("code", "dead_letters")) == 2, 60, "both letters' rows")

    rows = rig.rows(
        "source, code, position, original, original_bytes, origin_partition, origin_offset",
        "dead_letters",
        "source",
    )

    assert rows[0] == ("gateway", "missing_field", 3, '{"type":\\xff}', 10, -1, -1)
    assert rows[1][:3] == ("sink", "invalid_record", -1)
    assert json.loads(rows[1][3])["sequence"] == -1
    assert rows[1][5:] == (5, offset)


def test_a_record_too_large_for_a_letter_is_cut_not_tried_for_ever(rig: SinkRig) -> None:
    huge = rig.record(crash_stack="x" * 1_000_000, sequence=-1)

    offsets = rig.send([huge], partition=6)
    rig.start(**ROOMY)
    rig.wait_idle()

    ((_, original, letter),) = rig.letters(6, offsets)
    assert original == huge[:900_000]
    assert letter.text.endswith(f"(cut from {len(huge)} bytes)")


def test_a_hundred_and_twenty_months_in_one_chunk_are_stored(rig: SinkRig) -> None:
    months = [(2008 + number // 12, number % 12 + 1) for number in range(120)]
    values = [
        rig.record(occurred_at=f"{year}-{month:02}-03T04:05:06Z", event_id=str(uuid4()))
        for year, month in months
    ]
    recent = [f"2025-{month:02}-01T00:00:00Z" for month in (11, 12)]
    recent += [f"2026-{month:02}-01T00:00:00Z" for month in range(1, 12)]
    values += [rig.record(ts=ts) for ts in recent]
    wild = [rig.record(ts=f"{year}-01-01T00:00:00Z") for year in (1971, 2016, 2100)]

    offsets = rig.send([*values, *wild], partition=7)
    process = rig.start(**ROOMY)
    rig.wait_idle()

    hourly = rig.rows("sum(events)", "hourly", "1")
    assert rig.offsets() == offsets[: len(values)]
    assert [int(one) for one in hourly] == [len(values)]
    assert [offset for offset, _, _ in rig.letters(7, offsets)] == offsets[len(values) :]
    assert not process.is_dead()
