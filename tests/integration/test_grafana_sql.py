"""Each panel's SQL against the engine, with its variables filled in as Grafana does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from infra.grafana.boards import BOARDS
from infra.grafana.panel import Asked, sql_of
from sinks.clickhouse import sql
from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.asking import ask
from tests.histories import day, new_app, random_history
from tests.stored import StoredChunk, store

GROUP = f"{1:016x}"
CHOSEN = {"release": "", "platform": "", "country": "", "group": GROUP, "min_devices": "1"}
FIRST, LAST = day(0), day(20)


def filled(text: str, chosen: Mapping[str, str]) -> str:
    """The SQL that reaches ClickHouse: `:sqlstring` quotes, the plugin knows its two macros."""
    times = {"$__fromTime": FIRST, "$__toTime": LAST + timedelta(days=1)}
    for macro, end in times.items():
        instant = datetime(end.year, end.month, end.day, tzinfo=UTC) - timedelta(
            seconds=macro == "$__toTime"
        )
        text = text.replace(macro, f"toDateTime({int(instant.timestamp())})")

    def value(match: re.Match[str]) -> str:
        found = chosen[match[1]]
        return "'" + found.replace("'", "''") + "'" if match[2] else found

    return re.sub(r"\$\{(\w+)(:sqlstring)?\}", value, text)


class TestPanels:
    async def test_answer_what_their_named_query_answers(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        app_id = f"o'{new_app()}"
        await store(writer, StoredChunk(events=random_history(4, [app_id])))
        chosen = {**CHOSEN, "app": app_id}
        asked = [one for board in BOARDS for one in board.panels if isinstance(one, Asked)]
        empty: set[str] = set()

        for one in asked:
            query = sql.load(one.query)
            given = {
                param.name: one.values.get(param.name, chosen.get(param.name, "")).strip("'")
                for param in query.params
                if param.name not in ("from", "to")
            }
            found = await reader.query(filled(sql_of(query, one.values), chosen))
            rows = [tuple(plain(value) for value in row) for row in found.result_rows]
            expected = await ask(reader, one.query, first=FIRST, last=LAST, **given)

            assert rows == expected, one.query
            if not rows:
                empty.add(one.query)
        assert empty <= {"crash_regressions"}  # the others had something to show
