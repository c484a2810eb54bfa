"""Answers about one crash group, and about groups that came back, known by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.histories import Happened, at, day, event, new_app
from tests.stored import StoredChunk, store

GROUP = 0xA0B
HEX = "0000000000000a0b"


def crash(app_id: str, **changes: object) -> Happened:
    values: dict[str, object] = {
        "event_type": "app_crash",
        "crash_group": GROUP,
        "crash_type": "IllegalState",
        "crash_reason": "no view",
        "os_name": "Android",
        "country": "DE",
    }
    return event(app_id, **{**values, **changes})


class Story(Struct, frozen=True):
    """One crash group in two releases, and what is not it."""

    app_id: str
    events: dict[str, Happened]

    def period(self, first: int = 0, last: int = 20) -> dict[str, object]:
        return {"app": self.app_id, "group": HEX, "first": day(first), "last": day(last)}

    def ids(self) -> dict[str, str]:
        return {name: str(one.event_id) for name, one in self.events.items()}


@pytest.fixture
async def story(writer: AsyncClient) -> Story:
    app_id = new_app()
    events = {
        "first": crash(app_id, device_id="a", ts=at(10, hours=8), app_version="1.9"),
        "again": crash(app_id, device_id="a", ts=at(10, hours=9), app_version="1.9"),
        "other": crash(app_id, device_id="b", ts=at(10, hours=10), app_version="1.10"),
        "newest": crash(
            app_id,
            device_id="b",
            ts=at(12, hours=1),
            app_version="1.10",
            os_name="iOS",
            os_version="26.1",
            device_model="Phone 3",
            country="FR",
            session_id=UUID(int=7),
            crash_kind="signal",
            crash_fatal=True,
            crash_reason="gone",
            crash_stack="at a.B.c(B.kt:1)",
            properties={"$crash.thread": "main"},
        ),
        "another group": crash(app_id, crash_group=GROUP + 1, ts=at(11)),
        "caught": crash(app_id, event_type="error", ts=at(11)),
        "another app": crash(new_app(), ts=at(11)),
    }
    await store(writer, StoredChunk(events=list(events.values())))
    return Story(app_id, events)


class TestOneGroup:
    async def test_trend_counts_crashes_and_devices_of_each_day(
        self, reader: AsyncClient, story: Story
    ) -> None:
        assert await ask(reader, "crash_group_trend", **story.period()) == [
            (str(day(10)), 3, 2),
            (str(day(12)), 1, 1),
        ]

    async def test_releases_stand_in_the_order_of_their_numbers(
        self, reader: AsyncClient, story: Story
    ) -> None:
        assert await ask(reader, "crash_group_releases", **story.period()) == [
            ("1.9", 2, 1, plain(at(10, hours=8)), plain(at(10, hours=9))),
            ("1.10", 2, 1, plain(at(10, hours=10)), plain(at(12, hours=1))),
        ]

    async def test_devices_stand_by_their_newest_crash_and_show_it(
        self, reader: AsyncClient, story: Story
    ) -> None:
        ids = story.ids()
        newest = ("b", 2, plain(at(12, hours=1)), ids["newest"], "1.10", "iOS", "26.1")
        older = ("a", 2, plain(at(10, hours=9)), ids["again"], "1.9", "Android", "")

        found = await ask(reader, "crash_group_devices", **story.period())
        only = await ask(reader, "crash_group_devices", limit=1, **story.period())

        assert found == [(*newest, "Phone 3", "FR"), (*older, "", "DE")]
        assert only == found[:1]

    async def test_latest_is_the_newest_crash_whole(
        self, reader: AsyncClient, story: Story
    ) -> None:
        found = await ask(reader, "crash_group_latest", **story.period())
        before = await ask(reader, "crash_group_latest", **story.period(last=11))

        when = plain(at(12, hours=1))
        assert found == [
            (
                *(story.ids()["newest"], when, "b", str(UUID(int=7)), "", "1.10", ""),
                *("iOS", "26.1", "", "Phone 3", "FR", "signal", True, "IllegalState", "gone"),
                *("at a.B.c(B.kt:1)", {"$crash.thread": "main"}),
            )
        ]
        assert [row[0] for row in before] == [story.ids()["other"]]

    @pytest.mark.parametrize(
        ("filters", "crashes"),
        [
            ({"release": "1.9"}, 2),
            ({"release": "1.1"}, 0),
            ({"platform": "Android"}, 3),
            ({"country": "FR"}, 1),
            ({"platform": "iOS", "release": "1.10", "country": "FR"}, 1),
            ({"platform": "iOS", "country": "DE"}, 0),
            ({"group": HEX.upper()}, 4),
            ({"group": "a0b"}, 0),
            ({"group": "' OR 1"}, 0),
        ],
    )
    async def test_filters_choose_among_its_crashes(
        self, reader: AsyncClient, story: Story, filters: Mapping[str, str], crashes: int
    ) -> None:
        asked = {**story.period(), **filters}

        trend = await ask(reader, "crash_group_trend", **asked)
        releases = await ask(reader, "crash_group_releases", **asked)
        devices = await ask(reader, "crash_group_devices", **asked)
        latest = await ask(reader, "crash_group_latest", **asked)

        counts = [sum(int(str(row[1])) for row in rows) for rows in (trend, releases, devices)]
        assert (counts, len(latest)) == ([crashes] * 3, min(crashes, 1))


def used(app_id: str, release: str, days: int, **changes: object) -> list[Happened]:
    """Two devices, each with a session of its own, open a release."""
    values: dict[str, object] = {"app_version": release, "os_name": "Android", "country": "DE"}
    return [
        event(
            app_id,
            ts=at(days),
            device_id=f"user-{number}",
            session_id=uuid4(),
            **{**values, **changes},
        )
        for number in (1, 2)
    ]


class TestRegressions:
    """Releases 1.2, 1.9 and 1.10 are used on days 1, 5 and 10 by two devices each."""

    @pytest.fixture
    def app_id(self) -> str:
        return new_app()

    @pytest.fixture
    async def releases(self, writer: AsyncClient, app_id: str) -> list[Happened]:
        events = [*used(app_id, "1.2", 1), *used(app_id, "1.9", 5), *used(app_id, "1.10", 10)]
        await store(writer, StoredChunk(events=events))
        return events

    async def test_a_group_seen_again_after_a_release_without_it(
        self, writer: AsyncClient, reader: AsyncClient, app_id: str, releases: list[Happened]
    ) -> None:
        session = releases[-1].session_id
        crashes = [
            crash(app_id, app_version="1.2", ts=at(1, hours=2)),
            crash(app_id, app_version="1.10", ts=at(10, hours=3), session_id=session),
            crash(app_id, app_version="1.10", ts=at(12, hours=4), device_id="b"),
        ]
        await store(writer, StoredChunk(events=crashes))
        asked = {"app": app_id, "first": day(9), "last": day(20)}

        found = await ask(reader, "crash_regressions", **asked)

        # Of the two sessions of 1.10 one had the crash; the last crash had no session.
        times = [plain(at(1, hours=2)), plain(at(10, hours=3)), plain(at(12, hours=4))]
        back = (HEX, "IllegalState", "no view", "1.10", "1.2", ["1.9"], *times, 2, 2, 50.0)
        assert found == [back]
        for same in ({"group": HEX}, {"release": "1.10"}, {"platform": "Android"}):
            assert await ask(reader, "crash_regressions", **asked, **same) == [back]
        for none in ({"group": "0" * 16}, {"release": "1.2"}, {"country": "FR"}):
            assert await ask(reader, "crash_regressions", **asked, **none) == []

    async def test_what_came_back_before_the_period_is_no_news(
        self, writer: AsyncClient, reader: AsyncClient, app_id: str, releases: list[Happened]
    ) -> None:
        crashes = [
            crash(app_id, app_version=release, ts=at(days))
            for release, days in (("1.2", 1), ("1.10", 10), ("1.10", 13))
        ]
        await store(writer, StoredChunk(events=crashes))

        found = await ask(reader, "crash_regressions", app=app_id, first=day(11), last=day(20))

        assert found == []

    async def test_a_group_that_was_always_there_or_is_new_did_not_come_back(
        self, writer: AsyncClient, reader: AsyncClient, app_id: str, releases: list[Happened]
    ) -> None:
        always = [
            crash(app_id, app_version=release, ts=at(days))
            for release, days in (("1.2", 1), ("1.9", 5), ("1.10", 10))
        ]
        new = crash(app_id, app_version="1.10", ts=at(10), crash_group=1)
        older_late = [
            crash(app_id, app_version=release, ts=at(days), crash_group=2)
            for release, days in (("1.9", 5), ("1.2", 10))
        ]
        await store(writer, StoredChunk(events=[*always, new, *older_late]))

        found = await ask(reader, "crash_regressions", app=app_id, first=day(0), last=day(20))

        assert found == []

    async def test_a_release_of_too_few_devices_tells_nothing_by_its_silence(
        self, writer: AsyncClient, reader: AsyncClient, app_id: str, releases: list[Happened]
    ) -> None:
        trial = event(app_id, ts=at(6), app_version="1.9.1", device_id="tester")
        crashes = [
            crash(app_id, app_version=release, ts=at(days) + timedelta(hours=1))
            for release, days in (("1.9", 5), ("1.10", 10))
        ]
        await store(writer, StoredChunk(events=[trial, *crashes]))
        asked = {"app": app_id, "first": day(0), "last": day(20)}

        with_trial = await ask(reader, "crash_regressions", **asked)
        without = await ask(reader, "crash_regressions", min_devices=2, **asked)

        assert [row[5] for row in with_trial] == [["1.9.1"]]
        assert without == []
