"""Every named query against the engine and a plain model; rows stored twice change no answer."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

import msgspec
import pytest

from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.asking import AGAINST, RELEASE, STEPS, STEPS_SECONDS, TODAY, ask, ask_all
from tests.histories import day, event, new_app, random_history
from tests.model import NO_FILTER, Filter, Model
from tests.stored import StoredChunk, store

PERIODS = [(5, 14), (0, 40), (19, 19)]
FILTERS = [
    NO_FILTER,
    Filter(release="1.1"),
    Filter(platform="ios", country="DE"),
    Filter("1.0", "android", "FR"),
]


@pytest.fixture
async def unmerged(writer: AsyncClient) -> AsyncIterator[AsyncClient]:
    """A writer, while rows stored twice stay two."""
    await writer.command("SYSTEM STOP MERGES")
    yield writer
    await writer.command("SYSTEM START MERGES")


def close_to(rows: Sequence[Sequence[object]]) -> list[object]:
    """The same rows; fractions may differ in what rounding to three digits can do."""
    return [
        [
            pytest.approx(plain(one), abs=0.00051) if isinstance(one, float) else plain(one)
            for one in row
        ]
        for row in rows
    ]


class TestAgainstTheModel:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    async def test_every_answer_is_the_model_s(
        self, writer: AsyncClient, reader: AsyncClient, seed: int
    ) -> None:
        apps = [new_app(), new_app()]
        events = random_history(seed, apps)
        topic = f"events-{uuid4()}"
        for start in range(0, len(events), 150):
            await store(
                writer, StoredChunk(events=events[start : start + 150], start=start, topic=topic)
            )

        asked = zip(itertools.product(apps, PERIODS), itertools.cycle(FILTERS), strict=False)
        for (app_id, (first, last)), filter_ in asked:
            model = Model(events, app_id, day(first), day(last), filter_)
            found = await ask_all(reader, app_id, day(first), day(last), events, filter_)

            said = model.answers(STEPS, STEPS_SECONDS, gap=30)
            said["release_compare"] = Model(
                events, app_id, day(first), day(last), filter_.of_places()
            ).release_compare(RELEASE, AGAINST)
            for name, rows in said.items():
                assert [list(row) for row in found[name]] == close_to(rows), name
            for device in {one.device_id for one in model.all}:
                ids = [row[6] for row in found[f"device_timeline {device}"]]
                assert ids == [str(one) for one in model.timeline(device)]
            stored = sum(int(str(row[2])) for row in found["account"])
            assert stored == len([one for one in model.all if model.within(one.received_at)])

    async def test_the_model_s_histories_hold_what_matters(self) -> None:
        events = random_history(1, ["a"])
        model = Model(events, "a", day(0), day(40))

        assert any(one.time_quality == "invalid" for one in events)
        assert any(one.session_id.int == 0 for one in events)
        assert any(one.event_type == "app_crash" for one in events)
        assert len({one.app_version for one in events}) > 2
        assert any((end - start).days > 7 for start, end in model.sessions.spans())
        assert any(start.date() != end.date() for start, end in model.sessions.spans())
        by_sequence = model.timeline("device-1")
        by_time = sorted(
            (one for one in events if one.device_id == "device-1"), key=lambda one: one.ts
        )
        assert by_sequence != [one.event_id for one in by_time]


class TestRowsStoredTwice:
    """What slips past every net, or is sent again after the window of tokens."""

    async def test_the_same_rows_under_another_token_change_no_answer(
        self, unmerged: AsyncClient, reader: AsyncClient
    ) -> None:
        apps = [new_app(), new_app()]
        events = random_history(7, apps)
        chunk = StoredChunk(events=events, duplicates=2, dead=1)
        await store(unmerged, chunk)
        before = [await ask_all(reader, app_id, day(0), day(40), events) for app_id in apps]

        await store(unmerged, chunk, again=":again")

        assert await _raw_rows(unmerged, apps) == 2 * len(events)
        after = [await ask_all(reader, app_id, day(0), day(40), events) for app_id in apps]
        assert [without_copies(one) for one in after] == [without_copies(one) for one in before]
        await unmerged.command("SYSTEM START MERGES")
        for table in ("events", "sessions", "device_days", "crash_groups", "chunks"):
            await unmerged.command(f"OPTIMIZE TABLE telemetry.{table} FINAL")
        assert await _raw_rows(unmerged, apps) == len(events)
        healed = [await ask_all(reader, app_id, day(0), day(40), events) for app_id in apps]
        assert [without_sums(one) for one in healed] == [without_sums(one) for one in before]

    async def test_copies_at_other_offsets_change_the_account_alone(
        self, unmerged: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = new_app()
        events = random_history(8, [app_id])
        first = StoredChunk(events=events)
        later = timedelta(hours=1)
        copies = [
            msgspec.structs.replace(
                one, received_at=one.received_at + later, inserted_at=one.inserted_at + later
            )
            for one in events
        ]
        await store(unmerged, first)
        before = await ask_all(reader, app_id, day(0), day(50), events)

        await store(unmerged, StoredChunk(events=copies, start=first.end, topic=first.topic))

        after = await ask_all(reader, app_id, day(0), day(50), events)
        before_account, after_account = before.pop("account"), after.pop("account")
        del before["tail"], after["tail"]  # copies are the newest arrivals
        assert sum(int(str(row[2])) for row in before_account) == len(events)
        assert sum(int(str(row[2])) for row in after_account) == 2 * len(events)
        assert sum(int(str(row[6])) for row in after["account_by_release"]) == len(events)
        assert without_copies(after) == without_copies(before)

    async def test_the_one_sum_counts_them_twice(self, writer: AsyncClient) -> None:
        app_id = new_app()
        chunk = StoredChunk(events=[event(app_id), event(app_id)])

        await store(writer, chunk)
        await store(writer, chunk, again=":again")

        assert await _number(writer, "SELECT sum(events) FROM telemetry.hourly", app_id) == 4


def without_copies(found: Mapping[str, Sequence[tuple[object, ...]]]) -> dict[str, object]:
    """Answers but for those that count copies that are stored."""
    of_release = [(*row[:6], *row[7:]) for row in found["account_by_release"] if row[5]]
    copies = {"account_by_release": of_release, "freshness": None}
    return {**without_sums(found), **copies}


def without_sums(found: Mapping[str, Sequence[tuple[object, ...]]]) -> dict[str, object]:
    """Answers, but for the sums of `hourly`, from which no copy is ever merged away, and the times
    of the last writes."""
    names = [(kind, value) for kind, value, _ in found["filter_values"]]
    apps = [(app_id, last) for app_id, _, last in found["apps"]]
    lasting = {"filter_values": sorted(names, key=str), "apps": apps, "recent_chunks": None}
    return {**found, **lasting}


async def _raw_rows(client: AsyncClient, apps: Sequence[str]) -> int:
    return sum([await _number(client, "SELECT count() FROM telemetry.events", one) for one in apps])


async def _number(client: AsyncClient, what: str, app_id: str) -> int:
    found = await client.query(f"{what} WHERE app_id = {{app:String}}", parameters={"app": app_id})
    return int(found.result_rows[0][0])


class TestTexts:
    @pytest.mark.parametrize(
        "device", ["a\\b\tc\nd", 'it\'s "quoted"', "Gerät 📱", "%41+&=", "\\N"]
    )
    async def test_a_device_is_found_by_whatever_its_id_is(
        self, writer: AsyncClient, reader: AsyncClient, device: str
    ) -> None:
        app_id = new_app()
        await store(writer, StoredChunk(events=[event(app_id, device_id=device)]))

        found = await ask(
            reader, "device_timeline", app=app_id, device=device, first=day(10), last=day(10)
        )

        assert len(found) == 1


class TestNothingThere:
    GIVEN: ClassVar = {
        "device": "d",
        "event_id": "none",
        "group": "0" * 16,
        "steps": "app_open,app_close",
        "release": "1.0",
        "against": "1.1",
    }

    def params(self, name: str, **period: str) -> dict[str, str]:
        given = {"app": new_app(), **self.GIVEN, **period}
        return {one.name: given[one.name] for one in sql.load(name).params if one.name in given}

    @pytest.mark.parametrize("name", [one for one in sql.names() if one != "live_rate"])
    async def test_an_answer_without_rows_still_names_its_columns(
        self, reader: AsyncClient, name: str
    ) -> None:
        answer = await sql.run_query(reader, name, self.params(name), TODAY)

        assert (answer.columns, answer.rows) == (sql.load(name).columns, [])

    @pytest.mark.parametrize("name", [one for one in sql.names() if one != "live_rate"])
    async def test_all_of_time_is_a_period(self, reader: AsyncClient, name: str) -> None:
        all_of_time = {"from": "1970-01-01", "to": "2149-06-06"}

        answer = await sql.run_query(reader, name, self.params(name, **all_of_time), TODAY)

        assert answer.rows == []
