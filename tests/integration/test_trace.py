"""telemetry-sink trace: an event's way, told from its row or its dead letter."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from gateway.runtime import FOUND_WRONG, GOOD
from sinks.clickhouse.sql import AsyncClient
from sinks.clickhouse.tables import DEAD_LETTERS
from sinks.dead_rows import read_dead_letter
from sinks.sink import Polled
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import at, event, new_app
from tests.integration.test_query_command import telemetry_sink
from tests.stored import StoredChunk, insert, store

BAD_OFFSET, LETTER_OFFSET, MARK_OFFSET = 70, 5, 6


def traced(engine: ClickHouseUnderTest, *arguments: str) -> Any:
    done = telemetry_sink(engine, "trace", *arguments, "--format", "json")
    assert done.returncode == GOOD, done.stderr
    return json.loads(done.stdout)


async def bury(
    writer: AsyncClient, cluster: str, letters: dict[int, tuple[DeadLetter, bytes]]
) -> None:
    """Rows of `dead_letters` as the sink writes them, by offset."""
    rows = []
    for offset, (letter, original) in letters.items():
        row = read_dead_letter(
            Polled(offset, b"k", original, 1_795_497_600_000, tuple(letter.to_headers()))
        )
        place = {"kafka_cluster": cluster, "kafka_topic": APP_EVENTS_DEAD.name,
                 "kafka_partition": 1, "kafka_offset": offset, "chunk_start": 0,
                 "chunk_end": 10, "chunk_duplicates": 0, "chunk_dead": 0}  # fmt: skip
        rows.append({**json.loads(row.value), **place})
    await insert(writer, "telemetry.dead_letters", DEAD_LETTERS.columns, rows, str(uuid4()))


async def test_a_row_is_told_with_its_place_and_its_chunk(
    clickhouse: ClickHouseUnderTest, writer: AsyncClient
) -> None:
    app_id, vendors_id = new_app(), f"vendor-{uuid4()}"
    events = [event(app_id), event(app_id, source_event_id=vendors_id)]
    await store(writer, StoredChunk(events=events, topic=app_id, start=40, duplicates=2, dead=1))

    by_vendors_id = traced(clickhouse, vendors_id)
    by_own_id = traced(clickhouse, str(events[1].event_id).upper(), "--app", app_id)
    table = telemetry_sink(clickhouse, "trace", vendors_id).stdout

    assert by_own_id == by_vendors_id
    (row,) = by_own_id["rows"]
    wanted = (
        "kafka_topic", "kafka_partition", "kafka_offset", "chunk_start", "chunk_end",
        "received_at", "chunk_stored", "chunk_duplicates", "chunk_dead", "copies",
    )  # fmt: skip
    assert [row[name] for name in wanted] == [
        app_id, 3, 41, 40, 42, f"{at(10):%Y-%m-%d}T12:00:02.000Z", 2, 2, 1, 1,
    ]  # fmt: skip
    assert f"{app_id}-3 at offset 41" in table
    assert "40 to 42: 2 stored, 2 duplicates dropped, 1 dead-lettered" in table


async def test_one_id_of_two_apps_is_told_twice_and_a_copy_once(
    clickhouse: ClickHouseUnderTest, writer: AsyncClient
) -> None:
    one, other = new_app(), new_app()
    first = event(one)
    again = event(one, event_id=first.event_id)
    elsewhere = event(other, event_id=first.event_id)
    await store(writer, StoredChunk(events=[first, elsewhere, again], topic=one))

    both = traced(clickhouse, str(first.event_id))["rows"]
    (alone,) = traced(clickhouse, str(first.event_id), "--app", one)["rows"]

    assert {found["app_id"] for found in both} == {one, other}
    assert (alone["kafka_offset"], alone["copies"]) == (0, 2)


async def test_letters_are_told_with_their_reason(
    clickhouse: ClickHouseUnderTest, writer: AsyncClient
) -> None:
    app_id, cluster = new_app(), f"cluster-{uuid4()}"
    sent_as, own, rejected = f"vendor-{uuid4()}", str(uuid4()), str(uuid4())
    by_sink = DeadLetter(
        source="sink", code="refused", text="violated", app_id=app_id, event_id=own,
        origin_topic=APP_EVENTS.name, origin_partition=2, origin_offset=BAD_OFFSET,
    )  # fmt: skip
    at_door = DeadLetter(
        source="gateway", code="missing_field", text="no `timestamp`", app_id=app_id,
        event_id=rejected, request_id="r-9", protocol="native",
        received_at="2026-11-24T05:20:00.000Z",
    )  # fmt: skip
    mark = DeadLetter(
        source="replay", code="replayed", text="", app_id=app_id, event_id=own,
        origin_topic=APP_EVENTS_DEAD.name, origin_partition=1, origin_offset=LETTER_OFFSET,
    )  # fmt: skip
    original = json.dumps({"event_id": own, "source_event_id": sent_as}).encode()
    letters = {
        LETTER_OFFSET: (by_sink, original),
        MARK_OFFSET: (mark, b""),
        MARK_OFFSET + 1: (by_sink, original),  # the same one, written again after a kill
        MARK_OFFSET + 2: (at_door, b"{}"),
    }
    await bury(writer, cluster, letters)

    (sinks,) = traced(clickhouse, sent_as, "--app", app_id)["letters"]
    (doors,) = traced(clickhouse, rejected)["letters"]
    table = telemetry_sink(clickhouse, "trace", own).stdout

    assert (sinks["by"], sinks["code"], sinks["origin_offset"]) == ("sink", "refused", BAD_OFFSET)
    assert sinks["put_back"] == 1
    assert (doors["by"], doors["code"], doors["request_id"]) == ("door", "missing_field", "r-9")
    assert "dead-lettered by the sink: refused" in table
    assert f"{APP_EVENTS.name}-2 at offset {BAD_OFFSET}" in table
    assert "put back since" in table


@pytest.mark.parametrize(
    "event_id",
    [
        "0192f0c0-0000-7000-8000-00000000dead",
        "nobody's",
        "00000000-0000-0000-0000-000000000000",
        "",
    ],
)
def test_an_id_that_nobody_knows_is_said_in_plain_words(
    clickhouse: ClickHouseUnderTest, event_id: str
) -> None:
    done = telemetry_sink(clickhouse, "trace", event_id, "--app", "shop")

    assert done.returncode == FOUND_WRONG
    assert f"no row and no dead letter of app shop has the id {event_id!r}" in done.stderr
