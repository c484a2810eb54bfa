"""What a replay finds when it compares the rebuilt rows with the live ones, after any merges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest
from msgspec import Struct

from sinks.clickhouse.shadow import SHADOW, Shadow
from sinks.clickhouse.shadow_rows import NO_END, Compared, ShadowRows
from sinks.clickhouse.sink import known_settings
from sinks.clickhouse.sql import AsyncClient
from sinks.rebuild.units import Source
from tests.histories import Happened, event, new_app
from tests.stored import COLUMNS, StoredChunk, insert

LIVE = "telemetry"


class Placed(Struct, frozen=True):
    """An event in one of two logs."""

    event: Happened
    log: int = 0
    offset: int = 0


class Tables:
    """Both sets of tables, the rebuilt one empty; and two logs that no other test knows."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.sources = [Source("cluster-1", f"events-{uuid4()}", 3) for _ in range(2)]

    async def fill(self, database: str, *placed: Placed) -> None:
        """Insert one after another, and let merges heal what they can."""
        for one in placed:
            topic = self.sources[one.log].topic
            chunk = StoredChunk(events=[one.event], start=one.offset, topic=topic)
            token = f"{topic}:{one.offset}:{one.event.event_type}"
            await insert(self._client, f"{database}.events", COLUMNS, chunk.rows(), token)
        await self._client.command(f"OPTIMIZE TABLE {database}.events FINAL")

    async def places(self, database: str, app_id: str) -> list[tuple[int, int]]:
        """Log and offset of each row."""
        found = await self._client.query(
            f"SELECT kafka_topic, kafka_offset FROM {database}.events"
            " WHERE app_id = {app:String} ORDER BY ALL",
            parameters={"app": app_id},
        )
        topics = [one.topic for one in self.sources]
        return sorted((topics.index(topic), int(offset)) for topic, offset in found.result_rows)

    async def compare(self, end: int = NO_END) -> list[Compared]:
        rows = ShadowRows(self._client, await known_settings(self._client))
        found = await rows.compare(dict.fromkeys(self.sources, (0, end)))
        return sorted(found, key=lambda one: self.sources.index(one.source))


@pytest.fixture
async def tables(writer: AsyncClient) -> AsyncIterator[Tables]:
    shadow = Shadow(writer)
    await shadow.make(uuid4().hex, {})
    yield Tables(writer)
    await shadow.drop()


def numbers(found: Sequence[Compared]) -> list[tuple[int, ...]]:
    return [(one.live, one.rebuilt, one.missing, one.regained, one.doubled) for one in found]


async def test_of_copies_in_two_logs_either_may_be_the_one_that_stays(tables: Tables) -> None:
    """They were inserted live as they came, and are rebuilt log by log."""
    app = new_app()
    sent = event(app)
    here, there = Placed(sent, log=0), Placed(sent, log=1)
    await tables.fill(LIVE, there, here)
    await tables.fill(SHADOW, here, there)

    found = await tables.compare()

    assert await tables.places(LIVE, app) == [(0, 0)]
    assert await tables.places(SHADOW, app) == [(1, 0)]
    assert numbers(found) == [(1, 0, 0, 0, 0), (0, 1, 0, 0, 0)]


async def test_a_late_copy_may_be_merged_on_one_side_alone(tables: Tables) -> None:
    app = new_app()
    sent = event(app)
    await tables.fill(LIVE, Placed(sent, offset=1), Placed(sent, offset=90_000))
    await tables.fill(SHADOW, Placed(sent, offset=1))

    assert await tables.places(LIVE, app) == [(0, 90_000)]
    assert numbers(await tables.compare()) == [(1, 1, 0, 0, 0)]
    assert numbers(await tables.compare(end=2)) == [(0, 1, 0, 0, 0)]


async def test_control_an_event_that_is_nowhere_is_missing_though_the_counts_agree(
    tables: Tables,
) -> None:
    app = new_app()
    both, lost, found_again = (event(app) for _ in range(3))
    await tables.fill(LIVE, Placed(both, offset=1), Placed(lost, offset=2))
    await tables.fill(SHADOW, Placed(both, offset=1), Placed(found_again, offset=3))

    (found,) = await tables.compare()

    assert numbers([found]) == [(2, 2, 1, 1, 0)]
    assert found.first_missing == str(lost.event_id)
    assert numbers(await tables.compare(end=2)) == [(1, 1, 0, 0, 0)]


async def test_an_event_of_another_app_with_the_same_id_is_no_copy(tables: Tables) -> None:
    app, other = new_app(), new_app()
    sent = event(app)
    await tables.fill(LIVE, Placed(sent, offset=1))
    await tables.fill(SHADOW, Placed(event(other, event_id=sent.event_id), offset=1))

    found = {one.app_id: (one.missing, one.regained) for one in await tables.compare()}

    assert found == {app: (1, 0), other: (0, 1)}


async def test_an_offset_with_two_rows_is_told(tables: Tables) -> None:
    app = new_app()
    opened = event(app)
    tracked = event(app, event_id=opened.event_id, event_type="track")  # no merge makes them one
    await tables.fill(LIVE, Placed(opened, offset=1))
    await tables.fill(SHADOW, Placed(opened, offset=1), Placed(tracked, offset=1))

    assert numbers(await tables.compare()) == [(1, 2, 0, 0, 1)]
