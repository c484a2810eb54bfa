"""The questions of docs/SQL.md give the answers that it shows."""

from __future__ import annotations

import json

from gateway.contract.grouping.group import group_of
from sinks.clickhouse.sql import AsyncClient
from tests.histories import new_app
from tests.sql_page import EVENTS, Example, questions


class TestPage:
    def test_has_twenty_questions_with_answers(self) -> None:
        found = questions()

        assert [one.number for one in found] == list(range(1, 21))
        assert all(one.answer for one in found)

    def test_example_crashes_have_the_groups_of_the_current_rule(self) -> None:
        rows = [json.loads(one) for one in EVENTS.read_text(encoding="utf-8").splitlines()]
        crashes = [one for one in rows if one["event_type"] == "app_crash"]

        assert [one["crash_group"] for one in crashes] == [
            group_of(one["crash_kind"], one["crash_type"], one["crash_reason"], one["crash_stack"])
            for one in crashes
        ]
        assert len(crashes) == 3

    async def test_each_answer_is_what_the_engine_says(
        self, writer: AsyncClient, reader: AsyncClient
    ) -> None:
        example = Example(new_app())
        await example.store(writer)

        for one in questions():
            assert await example.answer(reader, one) == one.answer, one.text
