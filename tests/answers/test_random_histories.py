"""Every answer about random histories, recomputed by a model that is plain Python and slow.

`ANSWERS_HISTORIES=10000 pytest tests/answers` asks about as many; without it about 300.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.answers.strategies import RELEASES, Asked, Batch, batches, of_app
from tests.asking import ask
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import Happened, day, new_app
from tests.model import Model
from tests.model_parts import Row
from tests.stored import StoredChunk, store

HISTORIES = int(os.environ.get("ANSWERS_HISTORIES", "300"))
PER_INSERT = 25
AT_ONCE = 4  # questions


@settings(
    max_examples=max(1, HISTORIES // PER_INSERT),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # a failure names its history, which is small
    suppress_health_check=list(HealthCheck),
)
@given(batch=batches(PER_INSERT))
def check_all(clickhouse: ClickHouseUnderTest, batch: Batch) -> None:
    asyncio.run(_check(clickhouse, batch.asked))


@pytest.mark.timeout(240 + HISTORIES)
def test_every_answer_is_the_model_s(clickhouse: ClickHouseUnderTest) -> None:
    check_all(clickhouse)


async def _check(clickhouse: ClickHouseUnderTest, asked: Sequence[Asked]) -> None:
    client = await sql.connect(clickhouse.server())
    try:
        stories = [(one, of_app(one, new_app())) for one in asked]
        events = [event for _, story in stories for event in story]
        half = len(events) // 2  # two inserts, so that sessions and days lie in several parts
        first = StoredChunk(events=events[:half])
        await store(client, first)
        await store(client, StoredChunk(events=events[half:], start=half, topic=first.topic))
        limit = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for one, story in stories:
                group.create_task(_compare(client, one, story, limit))
    finally:
        await client.close()


async def _compare(
    client: AsyncClient, asked: Asked, story: list[Happened], limit: asyncio.Semaphore
) -> None:
    app_id, first, last = story[0].app_id, day(asked.first), day(asked.last)
    model = Model(story, app_id, first, last, asked.filter)
    wanted = model.answers(asked.steps, asked.seconds, asked.gap)
    of_places = Model(story, app_id, first, last, asked.filter.of_places())
    wanted["release_compare"] = of_places.release_compare(*RELEASES)
    more: dict[str, dict[str, object]] = {
        "funnel": {"steps": ",".join(asked.steps), "seconds": asked.seconds},
        "session_length": {"gap": asked.gap},
        "release_compare": {"release": RELEASES[0], "against": RELEASES[1]},
    }
    for name, rows in wanted.items():
        known = {one.name for one in sql.load(name).params}
        filters = {key: one for key, one in asked.filter.params().items() if key in known}
        given = {"app": app_id, "first": first, "last": last, **filters, **more.get(name, {})}
        async with limit:
            found = await ask(client, name, **given)
        assert [list(row) for row in found] == close_to(rows), f"{name} of {given}, {asked}"


def close_to(rows: Sequence[Row]) -> list[list[Any]]:
    """The same rows; fractions may differ in what rounding to three digits can do."""
    return [[_about(plain(one)) for one in row] for row in rows]


def _about(value: object) -> object:
    return pytest.approx(value, abs=0.00051) if isinstance(value, float) else value
