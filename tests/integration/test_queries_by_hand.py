"""Answers of the named queries that are known by hand."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from gateway.contract.record import EPOCH
from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.histories import at, day, event, new_app
from tests.stored import StoredChunk, store


class TestByHand:
    async def test_the_last_day_of_a_period_belongs_to_it_whole(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        last = event(app_id, ts=at(11) - timedelta(milliseconds=1), device_id="within")
        next_one = event(app_id, ts=at(11), device_id="beyond")
        await store(writer, StoredChunk(events=[last, next_one]))

        active = await ask(reader, "daily_active_devices", app=app_id, first=day(10), last=day(10))

        assert active == [(str(day(10)), 1)]

    async def test_a_session_over_midnight_counts_once_on_its_first_day_with_its_whole_length(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id, session = new_app(), uuid4()
        events = [
            event(app_id, ts=ts, session_id=session, event_type=event_type)
            for ts, event_type in (
                (at(10, hours=23, minutes=50), "app_open"),
                (at(11, minutes=20), "app_close"),
            )
        ]
        for number, one in enumerate(events):
            await store(writer, StoredChunk(events=[one], start=number))

        found = await ask(reader, "sessions_per_day", app=app_id, first=day(0), last=day(20))
        second_day = await ask(reader, "sessions_per_day", app=app_id, first=day(11), last=day(20))

        assert found == [(str(day(10)), 1, 1800.0, 1800.0)]
        assert second_day == []

    async def test_the_length_of_a_session_is_what_the_app_measured_where_that_is_longer(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id, session = new_app(), uuid4()
        start = at(10, hours=9)
        events = [
            event(app_id, ts=start, session_id=session),
            event(
                app_id,
                ts=start + timedelta(seconds=5),
                session_id=session,
                event_type="app_close",
                duration_ms=61_500,
            ),
        ]
        await store(writer, StoredChunk(events=events))

        found = await ask(reader, "sessions_per_day", app=app_id, first=day(10), last=day(10))

        assert found == [(str(day(10)), 1, 61.5, 61.5)]

    async def test_a_crash_found_at_the_next_launch_counts_for_the_release_that_crashed(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id, crashed, next_session = new_app(), uuid4(), uuid4()
        old = event(app_id, ts=at(10), session_id=crashed, app_version="1.0")
        launch = event(app_id, ts=at(12), session_id=next_session, app_version="2.0")
        crash = event(
            app_id,
            ts=at(10, minutes=5),
            received_at=at(12, seconds=2),
            session_id=crashed,
            app_version="1.0",
            event_type="app_crash",
            crash_group=0xABC,
            crash_type="IllegalState",
            crash_reason="no view",
        )
        await store(writer, StoredChunk(events=[old]))
        await store(writer, StoredChunk(events=[launch, crash]))
        period = {"app": app_id, "first": day(0), "last": day(20)}

        assert await ask(reader, "crash_free_sessions", **period) == [
            ("1.0", 1, 0.0),
            ("2.0", 1, 100.0),
        ]
        assert await ask(reader, "crash_free_devices", **period) == [
            ("1.0", 1, 0.0),
            ("2.0", 1, 100.0),
        ]
        when = plain(at(10, minutes=5))
        assert await ask(reader, "top_crash_groups", **period) == [
            ("0000000000000abc", "IllegalState", "no view", 1, 1, when, when)
        ]

    async def test_a_caught_error_is_no_crash(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        caught = event(app_id, event_type="error", session_id=uuid4(), crash_group=5)
        await store(writer, StoredChunk(events=[caught]))
        period = {"app": app_id, "first": day(0), "last": day(20)}

        assert await ask(reader, "crash_free_sessions", **period) == [("1.0", 1, 100.0)]
        assert await ask(reader, "top_crash_groups", **period) == []

    async def test_a_late_event_lands_in_the_day_it_happened(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        late = event(app_id, ts=at(3), received_at=at(19))
        await store(writer, StoredChunk(events=[late]))

        active = await ask(reader, "daily_active_devices", app=app_id, first=day(0), last=day(40))
        account = await ask(reader, "account", app=app_id, first=day(0), last=day(40))

        assert active == [(str(day(3)), 1)]
        assert [(row[0], row[2]) for row in account] == [(plain(at(19)), 1)]

    async def test_sequence_orders_a_device_whatever_its_clock_said(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        events = [
            event(app_id, sequence=7, ts=at(10, hours=3)),
            event(app_id, sequence=8, ts=at(10, hours=1)),
            event(
                app_id, sequence=9, ts=at(10, hours=4), occurred_at=EPOCH, time_quality="invalid"
            ),
            event(app_id, sequence=0, ts=at(10, hours=3, minutes=30)),
            event(app_id, sequence=0, ts=at(10, minutes=30)),
        ]
        await store(writer, StoredChunk(events=events[::-1]))

        found = await ask(
            reader, "device_timeline", app=app_id, device="device-1", first=day(10), last=day(10)
        )

        # The last one came before any that counts, the fourth when 8 had been reached: 7 and 8
        # were both behind it.
        assert [row[6] for row in found] == [str(events[one].event_id) for one in (4, 0, 1, 3, 2)]
        assert found[-1][7] == "1970-01-01T00:00:00.000Z"
        assert found[-1][9] == "invalid"

    async def test_cohorts_begin_with_the_first_day_of_all_not_of_the_period(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        days = {"old": (1, 10, 11), "new": (10, 12), "newer": (11, 30)}
        events = [
            event(app_id, device_id=device, ts=at(one))
            for device, ones in days.items()
            for one in ones
        ]
        await store(writer, StoredChunk(events=events))

        found = await ask(reader, "retention", app=app_id, first=day(10), last=day(20))

        assert found == [
            (str(day(10)), 0, 1, 1, 100.0),
            (str(day(10)), 2, 1, 1, 100.0),
            (str(day(11)), 0, 1, 1, 100.0),
        ]

    async def test_freshness_is_from_arrival_to_the_row(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        arrived = at(10, hours=12)
        events = [
            event(app_id, received_at=arrived, inserted_at=arrived + timedelta(seconds=one))
            for one in (1, 2, 11)
        ]
        await store(writer, StoredChunk(events=events))

        found = await ask(reader, "freshness", app=app_id, first=day(10), last=day(10))

        assert found == [(2.0, 10.82)]


class TestEventById:
    async def test_finds_the_stored_id_in_any_case_and_the_original_of_a_foreign_one(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        foreign, own = f"ajs-{uuid4()}", uuid4()
        one = event(new_app(), event_id=own, source_event_id=foreign, properties={"a": "1"})
        await store(writer, StoredChunk(events=[one]))

        by_own = await ask(reader, "event_by_id", event_id=str(own).upper())
        by_foreign = await ask(reader, "event_by_id", event_id=foreign)

        assert [row[0] for row in by_own] == [str(own)]
        assert by_foreign == by_own

    @pytest.mark.parametrize(
        "text", ["no id", "'; DROP TABLE events", "{app:String}", "0", "\\N", "\0"]
    )
    async def test_a_text_that_is_no_id_finds_not_even_the_event_without_one(
        self, writer: AsyncClient, reader: AsyncClient, text: str
    ) -> None:
        await store(writer, StoredChunk(events=[event(new_app(), event_id=UUID(int=0))]))

        assert await ask(reader, "event_by_id", event_id=text) == []

    async def test_an_empty_id_is_an_error_that_says_so(self, reader: AsyncClient) -> None:
        with pytest.raises(sql.ClickHouseError, match="event_id: an id is needed"):
            await ask(reader, "event_by_id", event_id="")
