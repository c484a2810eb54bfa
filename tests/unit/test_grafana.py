"""The dashboards' files: made from the named queries, and naming what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.grafana.__main__ import FOLDER, files
from infra.grafana.boards import BOARDS
from infra.grafana.panel import CLICKHOUSE, PROMETHEUS, Asked
from sinks.clickhouse import sql
from tests.prometheus.exposed import exposed, grouped, selectors

PROVISIONED = FOLDER.parent / "provisioning" / "datasources" / "telemetry.yaml"


def boards() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def panels(kind: dict[str, str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for _, board in boards():
        for panel in board["panels"]:
            if panel["datasource"] == kind:
                yield board, panel


class TestFiles:
    def test_are_what_their_source_says(self) -> None:
        """Where this fails, run `python -m infra.grafana`."""
        there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}

        assert there == files()

    def test_are_dashboards_that_can_be_told_apart(self) -> None:
        assert [name for name, _ in boards()] == [
            "account", "crashes", "gateway", "operations", "overview", "sink",
        ]  # fmt: skip
        assert len({board["uid"] for _, board in boards()}) == 6

    def test_panels_lie_side_by_side_on_the_grid(self) -> None:
        for name, board in boards():
            cells = [
                (x, y)
                for one in board["panels"]
                for x in range(one["gridPos"]["x"], one["gridPos"]["x"] + one["gridPos"]["w"])
                for y in range(one["gridPos"]["y"], one["gridPos"]["y"] + one["gridPos"]["h"])
            ]
            assert len(cells) == len(set(cells)), name
            assert max(x for x, _ in cells) < 24

    def test_ask_sources_that_are_provisioned(self) -> None:
        text = PROVISIONED.read_text(encoding="utf-8")

        for source in (CLICKHOUSE, PROMETHEUS):
            assert f"uid: {source['uid']}\n    type: {source['type']}\n" in text


class TestQueries:
    def test_each_panel_is_a_named_query_with_variables_put_in(self) -> None:
        asked = [one for board in BOARDS for one in board.panels if isinstance(one, Asked)]
        shown = list(panels(CLICKHOUSE))

        assert {one.query for one in asked} >= {
            "daily_active_devices",
            "top_crash_groups",
            "crash_group_latest",
            "account",
        }
        assert len(shown) == len(asked)
        for board, panel in shown:
            (target,) = panel["targets"]
            (query,) = [one for one in map(sql.load, sql.names()) if one.title == panel["title"]]
            # The named query again, from the panel's text: nothing else was changed.
            pattern = re.escape(query.sql)
            for one in query.params:
                place = re.escape(f"{{{one.name}:{one.type}}}")
                pattern = pattern.replace(
                    place, r"(?:'\w*'|\d+|\$\{\w+(?::\w+)?\}|toDate\([^)]*\))"
                )
            assert re.fullmatch(pattern, target["rawSql"]), query.name
            chosen = {one["name"] for one in board["templating"]["list"]}
            assert set(re.findall(r"\$\{(\w+)", target["rawSql"])) <= chosen

    def test_hidden_and_linked_columns_are_columns(self) -> None:
        for board in BOARDS:
            for one in board.panels:
                if isinstance(one, Asked):
                    columns = set(sql.load(one.query).columns)
                    assert columns >= {*one.hidden, *one.links}

    def test_texts_are_quoted(self) -> None:
        for _, panel in panels(CLICKHOUSE):
            text = panel["targets"][0]["rawSql"]
            assert not re.search(r"\$\{(?!min_devices\})\w+\}", text), panel["title"]


class TestMetrics:
    def test_each_expression_asks_for_series_and_labels_that_there_are(self) -> None:
        """That Prometheus can read them, tests/prometheus/test_scraping.py sees."""
        known = exposed()
        expressions = [
            target["expr"] for _, panel in panels(PROMETHEUS) for target in panel["targets"]
        ]

        assert expressions
        for expression in expressions:
            asked = list(selectors(expression))
            assert asked, expression
            told = set().union(*(known[name] for name, _ in asked))
            assert all(labels <= known[name] for name, labels in asked), expression
            assert grouped(expression) <= told, expression

    def test_legends_name_labels_that_are_left(self) -> None:
        for _, panel in panels(PROMETHEUS):
            for target in panel["targets"]:
                said = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                joined = "group_left" in target["expr"]
                assert said <= grouped(target["expr"]) or joined, panel["title"]
