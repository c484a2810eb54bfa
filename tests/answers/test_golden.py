"""Small data sets whose answers are worked out by hand: the examples of docs/DEFINITIONS.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid4, uuid5

import pytest

from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.asking import TODAY, ask
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import Happened, at, day, event, new_app
from tests.stored import StoredChunk, store


@pytest.fixture
async def client(clickhouse: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(clickhouse.server())
    yield client
    await client.close()


@pytest.fixture
def app() -> str:
    return new_app()


def happened(app: str, session: str, clock: str, event_type: str, **more: object) -> Happened:
    """An event of day 10 at `clock`, in a session that goes by its name."""
    hours, minutes, seconds = map(int, clock.split(":"))
    ts = at(10, hours=hours, minutes=minutes, seconds=seconds)
    session_id = uuid5(NAMESPACE_OID, f"{app} {session}")
    return event(app, ts=ts, session_id=session_id, event_type=event_type, **more)


class TestSessions:
    """Days 10 and 11 of one device: open to close, a call in between, a crash, a lost close."""

    def events(self, app: str) -> list[Happened]:
        return [
            happened(app, "A", "09:00:00", "app_open"),
            happened(app, "A", "09:02:00", "app_close"),
            happened(app, "B", "09:02:20", "app_open"),  # 20 s later: A goes on
            happened(app, "B", "09:05:00", "app_close"),
            happened(app, "C", "09:05:31", "app_open"),  # 31 s later: another one
            happened(app, "C", "09:06:31", "app_crash"),
            happened(app, "D", "09:06:35", "app_open"),  # after a crash: another one
            happened(app, "D", "09:07:05", "screen"),  # and no close
            happened(app, "E", "23:59:50", "app_open"),
            happened(app, "E", "24:00:20", "app_close"),  # on day 11
        ]

    async def ask(self, client: AsyncClient, app: str, **more: object) -> list[tuple[object, ...]]:
        return await ask(client, "session_length", app=app, first=day(10), last=day(11), **more)

    async def test_four_sessions_of_which_one_is_closed_by_inference(
        self, client: AsyncClient, app: str
    ) -> None:
        await store(client, StoredChunk(events=self.events(app)))

        found = await self.ask(client, app)

        # A+B 300 s, C 60 s, D 30 s, E 30 s: in order 30, 30, 60, 300; the median lies between 30
        # and 60, nine tenths at place 2.7, so 60 + 0.7 of 240. D has no close: 1 of 4. C crashed.
        assert found == [(str(day(10)), 4, 45.0, 228.0, 25.0, 25.0)]

    async def test_without_a_gap_they_are_as_the_sdk_sent_them(
        self, client: AsyncClient, app: str
    ) -> None:
        await store(client, StoredChunk(events=self.events(app)))

        found = await self.ask(client, app, gap=0)

        # A 120, B 160, C 60, D 30, E 30.
        assert found == [(str(day(10)), 5, 60.0, 144.0, 20.0, 20.0)]

    async def test_a_gap_of_a_minute_joins_what_half_a_minute_does_not(
        self, client: AsyncClient, app: str
    ) -> None:
        await store(client, StoredChunk(events=self.events(app)))

        found = await self.ask(client, app, gap=60)

        # A+B+C 391 s and crashed, D 30, E 30.
        assert [row[1:3] for row in found] == [(3, 30.0)]

    async def test_a_session_over_midnight_is_not_counted_again_on_the_next_day(
        self, client: AsyncClient, app: str
    ) -> None:
        await store(client, StoredChunk(events=self.events(app)))

        next_day = await ask(client, "session_length", app=app, first=day(11), last=day(11))

        assert next_day == []

    async def test_what_comes_days_late_in_any_order_is_as_if_it_had_come_in_time(
        self, client: AsyncClient, app: str
    ) -> None:
        for number, one in enumerate(reversed(self.events(app))):
            await store(client, StoredChunk(events=[one], start=number))

        assert await self.ask(client, app) == [(str(day(10)), 4, 45.0, 228.0, 25.0, 25.0)]

    async def test_a_close_without_an_open_is_a_session_of_the_length_the_app_measured(
        self, client: AsyncClient, app: str
    ) -> None:
        close = happened(app, "A", "09:00:00", "app_close", duration_ms=90_000)
        await store(client, StoredChunk(events=[close]))

        assert await self.ask(client, app) == [(str(day(10)), 1, 90.0, 90.0, 0.0, 0.0)]

    async def test_a_crash_told_at_the_next_launch_ends_the_session_that_crashed(
        self, client: AsyncClient, app: str
    ) -> None:
        later = at(12, hours=8)
        before = happened(app, "A", "09:00:00", "app_open", app_version="1.0")
        crash = happened(
            app, "A", "09:01:00", "app_crash", app_version="1.0", received_at=later
        )  # fmt: skip
        launch = event(app, ts=later, session_id=uuid4(), app_version="2.0")
        await store(client, StoredChunk(events=[before]))
        await store(client, StoredChunk(events=[launch, crash]))

        found = await ask(client, "session_length", app=app, first=day(10), last=day(12))
        health = await ask(client, "crash_free_releases", app=app, first=day(10), last=day(12))

        assert found == [
            (str(day(10)), 1, 60.0, 60.0, 0.0, 100.0),
            (str(day(12)), 1, 0.0, 0.0, 100.0, 0.0),
        ]
        assert [row[:5] for row in health] == [("1.0", 1, 1, 0.0, 0.0), ("2.0", 1, 1, 100.0, 100.0)]


class TestActiveDevices:
    async def test_a_week_is_seven_days_and_a_month_thirty(
        self, client: AsyncClient, app: str
    ) -> None:
        days = {"a": (0, 10), "b": (4,), "c": (10,)}
        events = [
            event(app, device_id=device, ts=at(one))
            for device, ones in days.items()
            for one in ones
        ]
        await store(client, StoredChunk(events=events))

        found = await ask(client, "active_devices", app=app, first=day(9), last=day(12))

        # Day 9: a was there nine days ago, b five: 0, 1, 2. Day 10: a and c; b six days ago. From
        # day 11 on b is out of the week. Each is within thirty days all the time.
        assert found == [
            (str(day(9)), 0, 1, 2),
            (str(day(10)), 2, 3, 3),
            (str(day(11)), 0, 2, 3),
            (str(day(12)), 0, 2, 3),
        ]

    async def test_a_device_counts_where_and_with_what_it_was_on_that_day(
        self, client: AsyncClient, app: str
    ) -> None:
        places = [("1.0", "ios", "DE"), ("1.1", "ios", "FR"), ("1.1", "android", "FR")]
        events = [
            event(
                app, device_id=f"d{number}", app_version=release, os_name=os_name, country=country
            )
            for number, (release, os_name, country) in enumerate(places)
        ]
        await store(client, StoredChunk(events=events))

        async def count(**filters: str) -> list[object]:
            found = await ask(
                client, "daily_active_devices", app=app, first=day(10), last=day(10), **filters
            )
            return [row[1] for row in found]

        assert await count() == [3]
        assert await count(release="1.1") == [2]
        assert await count(platform="ios", country="FR") == [1]
        assert await count(release="1.0", country="FR") == []


class TestAdoption:
    async def test_a_device_counts_for_the_release_it_ran_last_that_day(
        self, client: AsyncClient, app: str
    ) -> None:
        events = [
            event(app, device_id="a", ts=at(10, hours=8), app_version="1.0"),
            event(app, device_id="a", ts=at(10, hours=9), app_version="1.1"),
            event(app, device_id="b", ts=at(10, hours=8), app_version="1.0"),
            event(app, device_id="c", ts=at(10, hours=8), app_version="1.0"),
        ]
        await store(client, StoredChunk(events=events))
        period = {"app": app, "first": day(10), "last": day(10)}

        found = await ask(client, "adoption", **period)
        of_one = await ask(client, "adoption", release="1.1", **period)

        assert found == [(str(day(10)), "1.0", 2, 66.667), (str(day(10)), "1.1", 1, 33.333)]
        assert of_one == found[1:]


class TestRetention:
    async def test_a_device_stays_in_its_cohort_when_it_is_updated(
        self, client: AsyncClient, app: str
    ) -> None:
        events = [
            event(app, device_id="a", ts=at(10), app_version="1.0"),
            event(app, device_id="a", ts=at(13), app_version="1.1"),
            event(app, device_id="b", ts=at(10), app_version="1.0"),
            event(app, device_id="c", ts=at(10), app_version="1.1"),
        ]
        await store(client, StoredChunk(events=events))

        found = await ask(
            client, "retention", app=app, first=day(10), last=day(20), release="1.0"
        )  # fmt: skip

        assert found == [(str(day(10)), 0, 2, 2, 100.0), (str(day(10)), 3, 1, 2, 50.0)]


class TestFunnel:
    async def funnel(self, client: AsyncClient, app: str, **more: object) -> list[object]:
        period = {"app": app, "first": day(10), "last": day(10)}
        found = await ask(client, "funnel", **period, **more)
        return [row[2] for row in found]

    def track(self, app: str, device: str, second: int, name: str) -> Happened:
        ts = at(10, hours=9, seconds=second)
        return event(app, device_id=device, ts=ts, event_type="track", event_name=name)

    async def test_steps_count_in_their_order_and_within_the_window(
        self, client: AsyncClient, app: str
    ) -> None:
        tried = {
            "all": [(0, "view"), (10, "cart"), (60, "buy")],
            "too late": [(0, "view"), (10, "cart"), (61, "buy")],
            "second try": [(0, "view"), (50, "view"), (60, "cart"), (100, "buy")],
            "wrong order": [(0, "buy"), (10, "cart"), (20, "view")],
            "at once": [(0, "view"), (0, "cart")],
            "never began": [(0, "buy")],
        }
        events = [
            self.track(app, device, second, name)
            for device, ones in tried.items()
            for second, name in ones
        ]
        await store(client, StoredChunk(events=events))

        asked = {"steps": "view, cart ,buy", "seconds": 60}

        # view: all but "never began". cart: these but "wrong order". buy: "all", "second try",
        # whose second view began it anew.
        assert await self.funnel(client, app, **asked) == [5, 4, 2]

    @pytest.mark.parametrize("steps", ["view,view", "view,a,b,c,d,e,f,g,h"])
    async def test_steps_that_are_the_same_or_too_many_are_refused(
        self, client: AsyncClient, app: str, steps: str
    ) -> None:
        await store(client, StoredChunk(events=[self.track(app, "a", 0, "view")]))

        with pytest.raises(sql.ClickHouseError, match="one to eight different names"):
            await self.funnel(client, app, steps=steps)

    async def test_a_step_may_be_a_type_and_shares_of_nobody_are_none(
        self, client: AsyncClient, app: str
    ) -> None:
        await store(client, StoredChunk(events=[self.track(app, "a", 0, "view")]))

        found = await ask(
            client, "funnel", app=app, first=day(10), last=day(10), steps="app_open,track"
        )

        assert found == [(1, "app_open", 0, None, None), (2, "track", 0, None, None)]


class TestAccountByRelease:
    async def test_numbers_that_are_missing_repeated_or_out_of_order(
        self, client: AsyncClient, app: str
    ) -> None:
        numbers = [1, 2, 5, 5, 4, 9]  # 3 is missing, and 6, 7, 8; 5 came twice, 4 after it
        events = [
            event(app, sequence=number, ts=at(10, hours=9, seconds=place), sdk_name="sdk")
            for place, number in enumerate(numbers)
        ]
        chunk = StoredChunk(events=events)
        await client.command("SYSTEM STOP MERGES telemetry.events")
        await store(client, chunk)
        await store(client, StoredChunk(events=events[-1:], start=100, topic=chunk.topic))

        found = await ask(client, "account_by_release", app=app, first=day(10), last=day(10))
        await client.command("SYSTEM START MERGES telemetry.events")

        hour = f"{day(10)}T09:00:00.000Z"
        # stored, copies, gaps, missing, repeats, inversions
        assert found == [(hour, app, "1.0", "sdk", "", 6, 1, 2, 4, 1, 1)]


class TestLiveRate:
    async def test_events_of_now_and_steps_without_any(self, client: AsyncClient, app: str) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        arrived = [now - timedelta(seconds=40), now - timedelta(seconds=40)]
        events = [
            event(app, received_at=one, inserted_at=one + timedelta(seconds=2)) for one in arrived
        ]
        await store(client, StoredChunk(events=events))

        answer = await sql.run_query(
            client, "live_rate", {"app": app, "minutes": "5", "step": "10"}, TODAY
        )

        rates = [row[1:] for row in answer.rows if row[1]]
        assert rates == [(2, 0.2, 2.0, 2.0)]
        assert len(answer.rows) in (31, 32)  # 300 s, and the step that is not over
        assert {row[1] for row in answer.rows} == {0, 2}


class TestTail:
    async def test_the_newest_first_and_none_twice(self, client: AsyncClient, app: str) -> None:
        events = [event(app, ts=at(10, seconds=place), sequence=place + 1) for place in range(5)]
        first = StoredChunk(events=events)
        await store(client, first)
        await store(client, StoredChunk(events=events[-1:], start=50, topic=first.topic))

        found = await ask(client, "tail", app=app, first=day(10), last=day(10), limit=3)

        assert [row[6] for row in found] == [5, 4, 3]
