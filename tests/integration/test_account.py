"""The account as a named query: where every event ended."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from gateway.contract.record import EPOCH
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.histories import at, day, event, new_app
from tests.stored import StoredChunk, insert, store


class TestAccount:
    async def test_every_record_of_a_chunk_ends_somewhere(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id, other = new_app(), new_app()
        events = [event(app_id), event(app_id), event(other), event(app_id, ts=at(10, hours=14))]
        chunk = StoredChunk(events=events, duplicates=3, dead=1)
        await store(writer, chunk)
        rest = _account_row(chunk, app_id, at(10, hours=15), duplicates=5, dead=2)
        await insert(writer, "telemetry.chunks", list(rest), [rest], f"{chunk.topic}:rest")

        found = await ask(reader, "account", app=app_id, first=day(10), last=day(10))
        everyone = await ask(reader, "account", first=day(10), last=day(10), app="")

        assert found == [
            (plain(at(10, hours=12)), 6, 2, 3, 1, 0, {}, 0, 0, 0),
            (plain(at(10, hours=14)), 5, 1, 3, 1, 0, {}, 0, 0, 0),
            (plain(at(10, hours=15)), 7, 0, 5, 2, 0, {}, 0, 0, 0),
        ]
        noon = next(row for row in everyone if row[0] == plain(at(10, hours=12)))
        assert int(str(noon[2])) >= 3

    async def test_a_row_that_is_gone_shows_as_a_difference(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        chunk = StoredChunk(events=[event(app_id)])
        await store(writer, chunk)
        says_two = _account_row(chunk, app_id, at(10, hours=12), inserted=2)
        await insert(writer, "telemetry.chunks", list(says_two), [says_two], f"{chunk.topic}:two")

        found = await ask(reader, "account", app=app_id, first=day(10), last=day(10))

        assert [(row[1], row[2], row[7]) for row in found] == [(2, 1, 1)]

    async def test_a_late_copy_that_was_healed_shows_as_a_difference(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        """Of rows that a merge took nothing is left, so no query can tell them from lost ones."""
        app_id = new_app()
        topic = f"events-{app_id}"
        first = event(app_id)
        again = replace(first, received_at=at(10, hours=14), inserted_at=at(10, hours=14))
        await writer.command("SYSTEM STOP MERGES telemetry.events")
        await store(writer, StoredChunk(events=[first], topic=topic))
        await store(writer, StoredChunk(events=[again], topic=topic, start=90_000))

        stored_twice = await ask(reader, "account", app=app_id, first=day(10), last=day(10))
        await writer.command("SYSTEM START MERGES telemetry.events")
        await writer.command("OPTIMIZE TABLE telemetry.events FINAL")
        healed = await ask(reader, "account", app=app_id, first=day(10), last=day(10))

        hours = [plain(at(10, hours=hour)) for hour in (12, 14)]
        assert [(row[0], *row[1:3], row[7]) for row in stored_twice] == [
            (hours[0], 1, 1, 0),
            (hours[1], 1, 1, 0),
        ]
        assert [(row[0], *row[1:3], row[7]) for row in healed] == [
            (hours[0], 1, 0, 1),
            (hours[1], 1, 1, 0),
        ]

    async def test_what_the_door_rejected_is_counted_by_reason(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        letters = [
            _letter(app_id, 0, code="missing_field", received_at=at(10, hours=8)),
            _letter(app_id, 1, code="missing_field", received_at=at(10, hours=8, minutes=59)),
            _letter(app_id, 2, code="id_too_long", received_at=at(10, hours=8)),
            _letter(app_id, 3, code="invalid_record", received_at=at(10, hours=8), source="sink"),
            _letter(app_id, 4, code="missing_field", received_at=EPOCH, dead_at=at(10, hours=9)),
            _letter(app_id, 5, code="replayed", received_at=at(10, hours=9), source="replay"),
        ]
        for again in ("", ":again"):
            await insert(
                writer, "telemetry.dead_letters", list(letters[0]), letters, f"{app_id}{again}"
            )

        found = await ask(reader, "account", app=app_id, first=day(10), last=day(10))

        assert found == [
            (
                plain(at(10, hours=8)),
                0,
                0,
                0,
                0,
                3,
                {"missing_field": 2, "id_too_long": 1},
                0,
                0,
                0,
            ),
            (plain(at(10, hours=9)), 0, 0, 0, 0, 1, {"missing_field": 1}, 0, 1, 0),
        ]


def _account_row(
    chunk: StoredChunk, app_id: str, hour: datetime, **counts: int
) -> dict[str, object]:
    return {
        "kafka_cluster": "cluster-1",
        "kafka_topic": chunk.topic,
        "kafka_partition": 3,
        "chunk_start": chunk.start,
        "chunk_end": chunk.end,
        "app_id": app_id,
        "hour": hour.strftime("%Y-%m-%d %H:%M:%S"),
        **counts,
    }


def _letter(
    app_id: str,
    offset: int,
    *,
    code: str,
    received_at: datetime,
    source: str = "gateway",
    dead_at: datetime | None = None,
) -> dict[str, object]:
    times = {"received_at": received_at, "dead_at": dead_at or received_at}
    return {
        "source": source,
        "code": code,
        "app_id": app_id,
        **{name: plain(one) for name, one in times.items()},
        "original": "{}",
        "kafka_cluster": "cluster-1",
        "kafka_topic": f"dead-{app_id}",
        "kafka_partition": 0,
        "kafka_offset": offset,
    }
