"""The statements of the runbooks, as they stand there, on the engine."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from sinks.clickhouse.checks import check_tables
from sinks.clickhouse.sql import AsyncClient
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS
from tests.histories import new_app, random_history
from tests.stored import StoredChunk, store

RUNBOOKS = (Path(__file__).parents[2] / "docs" / "RUNBOOKS.md").read_text(encoding="utf-8")


def statements(heading: str) -> list[str]:
    """The SQL under a heading."""
    section = RUNBOOKS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return [one.strip() for block in blocks for one in block.split(";") if one.strip()]


async def test_a_property_is_taken_out_of_its_app_and_of_no_other(writer: AsyncClient) -> None:
    shop, other = new_app(), new_app()
    secret = {"email": "jane@example.com", "plan": "pro"}
    for app in (shop, other):
        told = [
            msgspec.structs.replace(one, properties=secret if number % 2 else {"plan": "free"})
            for number, one in enumerate(random_history(3, [app]))
        ]
        await store(writer, StoredChunk(events=told))
    update, empty, verify = (
        one.replace("com.example.shop", shop)
        for one in statements("A property that must not be stored")
    )
    for app in (shop, other):
        await writer.command(
            "INSERT INTO telemetry.dead_letters (app_id, source, code, original)"
            f" VALUES ('{app}', 'gateway', 'missing_field', '{{\"email\": \"jane\"}}')"
        )
    before = await _properties(writer, shop)
    assert (await writer.query(verify)).result_rows != [(0,)]

    await writer.command(update)
    await writer.command(empty)

    assert (await writer.query(verify)).result_rows == [(0,)]
    without = [{name: value for name, value in one.items() if name != "email"} for one in before]
    assert sorted(map(str, await _properties(writer, shop))) == sorted(map(str, without))
    assert secret in await _properties(writer, other)
    letters = (
        f"SELECT app_id, original FROM telemetry.dead_letters WHERE app_id IN ('{shop}', '{other}')"
    )
    found = [tuple(row) for row in (await writer.query(letters)).result_rows]
    assert sorted(found) == sorted([(shop, ""), (other, '{"email": "jane"}')])


async def test_a_sink_takes_tables_with_a_ttl(writer: AsyncClient) -> None:
    (ttl,) = statements("Retention")

    await writer.command(ttl)
    try:
        await check_tables(writer, (EVENTS, DEAD_LETTERS))
    finally:
        await writer.command("ALTER TABLE telemetry.events REMOVE TTL")


async def _properties(client: AsyncClient, app: str) -> list[dict[str, str]]:
    asked = f"SELECT properties FROM telemetry.events WHERE app_id = '{app}'"
    return [dict(row[0]) for row in (await client.query(asked)).result_rows]
