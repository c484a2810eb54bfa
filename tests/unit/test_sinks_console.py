"""The console's pure parts: cells, heads, links, charts, metrics, the policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, date, datetime
from importlib.resources import files
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.clickhouse.sql import Answer, QueryError, load
from sinks.console.access import own_path
from sinks.console.pages import PAGES
from sinks.console.panel import Chart, Link, Panel, Shown, head, show, text_of
from sinks.console.plotly_script import unwrapped
from sinks.console.scrape import rows_of
from sinks.console.together import together
from sinks.console.view import View, view_of

TODAY = date(2026, 11, 24)
VIEW = View({"app": "shop", "from": "2026-11-01", "to": "2026-11-24", "country": "DE"})


class TestText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "-"),
            ("", "-"),
            (UUID(int=0), "-"),
            (float("nan"), "-"),
            (0, "0"),
            (12_345, "12,345"),
            (99.456, "99.46"),
            (True, "yes"),
            (datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC), "2026-11-24 01:02:03"),
            (datetime(2026, 11, 24, 1, 2, 3, 4_000, UTC), "2026-11-24 01:02:03.004"),
            (date(2026, 11, 24), "2026-11-24"),
            ({"a": 1, "b": ""}, "a = 1\nb = -"),
            ({}, "-"),
        ],
    )
    def test_a_value_is_told_as_people_read_it(self, value: object, text: str) -> None:
        assert text_of(value) == text

    def test_a_head_has_its_unit(self) -> None:
        assert head("length_p50_seconds") == "length p50, s"
        assert head("crash_free_devices_percent") == "crash free devices, %"
        assert head("devices") == "devices"


class TestPanel:
    panel = Panel(
        id="p",
        query="account",
        must_be_zero="difference",
        sums=True,
        links={"stored": Link("/live", {"from": "hour", "to": "hour"})},
    )

    def shown(self, *rows: tuple[object, ...], max_rows: int = 10) -> Shown:
        answer = Answer(("hour", "stored", "difference"), list(rows))
        return show(self.panel, VIEW, answer, max_rows)

    def test_a_number_leads_to_what_is_behind_it(self) -> None:
        hour = datetime(2026, 11, 24, 5, tzinfo=UTC)

        (row,) = self.shown((hour, 7, 0)).rows

        assert row[1].href == "/live?app=shop&from=2026-11-24&to=2026-11-24&country=DE"
        assert row[0].href == row[1].href

    def test_behind_a_zero_is_nothing(self) -> None:
        (row,) = self.shown((datetime(2026, 11, 24, tzinfo=UTC), 0, 0)).rows

        assert row[1].href == ""

    def test_differences_of_both_signs_do_not_cancel_out(self) -> None:
        hour = datetime(2026, 11, 24, tzinfo=UTC)

        shown = self.shown((hour, 1, 2), (hour, 1, -2))

        assert shown.difference == 4
        assert [row[2].kind for row in shown.rows] == ["bad", "bad"]
        assert [one.text for one in shown.sums] == ["all", "2", "0"]

    def test_more_rows_than_allowed_are_cut(self) -> None:
        hour = datetime(2026, 11, 24, tzinfo=UTC)

        shown = self.shown(*[(hour, 1, 0)] * 4, max_rows=3)

        assert (len(shown.rows), shown.cut_at) == (3, 3)

    def test_a_stack_is_one_line_per_frame(self) -> None:
        frames = (
            b'[{"module":"a.B","function":"c","line":7,"file":"B.kt","in_app":true},'
            b'{"function":"d"},{}]'
        )
        answer = Answer(("crash_stack",), [(frames.decode(),)])

        shown = show(Panel(id="p", query="account"), VIEW, answer, 10)

        assert shown.rows[0][0].text == "> a.B.c  (B.kt:7)\n  d\n  unknown"

    @given(st.text(max_size=200))
    def test_any_stack_is_shown(self, stack: str) -> None:
        answer = Answer(("crash_stack",), [(stack,)])

        shown = show(Panel(id="p", query="account"), VIEW, answer, 10)

        assert shown.rows[0][0].text

    def test_a_chart_has_a_line_for_each_value_of_its_series(self) -> None:
        chart = Chart(kind="area", x="day", y="share", series="release", y_title="devices, %")
        panel = Panel(id="p", query="adoption", chart=chart)
        rows: list[tuple[object, ...]] = [
            (date(2026, 11, 1), "1.0", 60.0),
            (date(2026, 11, 1), "1.1", 40.0),
            (date(2026, 11, 2), "1.1", 100.0),
        ]

        shown = show(panel, VIEW, Answer(("day", "release", "share"), rows), 10)

        lines = msgspec.json.decode(shown.chart)["lines"]
        assert [(one["name"], one["x"], one["y"]) for one in lines] == [
            ("1.0", ["2026-11-01"], [60.0]),
            ("1.1", ["2026-11-01", "2026-11-02"], [40.0, 100.0]),
        ]

    def test_retention_is_a_triangle(self) -> None:
        columns = ("cohort_day", "day_number", "devices", "cohort_devices", "share_percent")
        rows: list[tuple[object, ...]] = [
            (date(2026, 11, 1), 0, 4, 4, 100.0),
            (date(2026, 11, 1), 2, 1, 4, 25.0),
            (date(2026, 11, 2), 0, 2, 2, 100.0),
        ]
        panel = Panel(id="p", query="retention", form="triangle")

        shown = show(panel, VIEW, Answer(columns, rows), 10)

        assert shown.triangle is not None
        assert list(shown.triangle.days) == [0, 1, 2]
        assert shown.triangle.rows[0] == (
            "2026-11-01", "4", [("100", 9, "4 devices"), ("", 0, ""), ("25", 2, "1 devices")],
        )  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_names_only_what_its_queries_have(page: object) -> None:
    """Columns, axes, links and parameters."""
    assert page in PAGES
    paths = {one.path for one in PAGES}
    for panel in next(one for one in PAGES if one is page).panels:
        query = load(panel.query)
        named = {
            *panel.columns.split(),
            *panel.links,
            *([panel.must_be_zero] if panel.sums else []),
        }
        if panel.chart is not None:
            named |= {panel.chart.x, *panel.chart.y.split(), panel.chart.series}
        for link in panel.links.values():
            named |= set(link.params.values())
            assert link.path in paths
        assert named - {""} <= set(query.columns), panel.id
        assert set(panel.needs) <= {one.name for one in query.params}


class TestView:
    def test_an_app_s_reader_is_held_to_it(self) -> None:
        assert view_of([("app", "other")], [], "shop", TODAY).app == "shop"

    def test_a_period_that_is_not_said_is_the_last_30_days(self) -> None:
        view = view_of([], [], None, TODAY)

        assert (view.values["from"], view.values["to"]) == ("2026-10-26", "2026-11-24")

    @settings(deadline=None)  # the first view reads a query file
    @given(st.dictionaries(st.sampled_from(["app", "release", "device"]), st.text(max_size=20)))
    def test_a_url_leads_back_to_the_view(self, values: dict[str, str]) -> None:
        try:
            view = view_of(list(values.items()), ["device"], None, TODAY)
        except QueryError:
            return
        kept = {name: value for name, value in view.values.items() if value}
        url = view.url("/device", device=view.values.get("device", ""))

        again = view_of(parse_qsl(url.partition("?")[2]), ["device"], None, TODAY)

        assert {name: value for name, value in again.values.items() if value} == kept


@given(st.text(max_size=20))
def test_the_login_leads_to_paths_of_the_console_alone(path: str) -> None:
    assert own_path(path).startswith("/")
    assert not own_path(path).startswith(("//", "/\\"))


def test_metrics_are_added_up_over_partitions_and_ages_are_the_greatest() -> None:
    text = (
        "# HELP telemetry_sink_lag_records Waiting.\n# TYPE telemetry_sink_lag_records gauge\n"
        'telemetry_sink_lag_records{topic="a",partition="0"} 3\n'
        'telemetry_sink_lag_records{topic="a",partition="1"} 4\n'
        "# HELP telemetry_sink_lag_seconds Age.\n# TYPE telemetry_sink_lag_seconds gauge\n"
        'telemetry_sink_lag_seconds{topic="a",partition="0"} 1.5\n'
        'telemetry_sink_lag_seconds{topic="a",partition="1"} 0.5\n'
        "# HELP telemetry_sink_insert_retries Retries.\n"
        "# TYPE telemetry_sink_insert_retries counter\n"
        'telemetry_sink_insert_retries_total{code="252"} 0\n'
        "# HELP other Something.\n# TYPE other gauge\nother 1\n"
    )

    rows = [[cell.text for cell in row] for row in rows_of("sink", text)]

    assert rows == [
        ["telemetry_sink_lag_records", "topic a", "7", "Waiting."],
        ["telemetry_sink_lag_seconds", "topic a", "1.50", "Age."],
    ]


class TestTogether:
    async def test_what_comes_without_a_wait_is_one_piece(self) -> None:
        waits = asyncio.Event()

        async def pieces() -> AsyncIterator[str]:
            yield "a"
            yield "b"
            await waits.wait()
            yield "c"
            yield "d"

        found = []
        async for text in together(pieces()):
            found.append(text)
            waits.set()
        assert found == ["ab", "cd"]

    async def test_what_came_before_a_failure_is_handed_on(self) -> None:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            raise ValueError("broken")

        texts = together(pieces())
        assert await anext(texts) == "a"
        with pytest.raises(ValueError, match="broken"):
            await anext(texts)

    async def test_who_stops_early_leaves_nothing_running(self) -> None:
        ended = asyncio.Event()

        async def pieces() -> AsyncIterator[str]:
            try:
                yield "a"
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with aclosing(together(pieces())) as texts:
            assert await anext(texts) == "a"
        assert ended.is_set()

    async def test_no_pieces_are_no_text(self) -> None:
        async def pieces() -> AsyncIterator[str]:
            for none in list[str]():
                yield none

        assert [text async for text in together(pieces())] == []


class TestPlotlyScript:
    WRAPPED = (
        b'/**\n* plotly.js\n*/\n(function(root, factory) {}(self, () => {\n"use strict";'
        b"var Plotly=(()=>{var a=()=>{return b();};return a();})();\n/* of others */\n"
        b"window.Plotly = Plotly;\nreturn Plotly;\n}));\n"
    )

    def test_the_functions_around_it_are_taken_away(self) -> None:
        assert unwrapped(self.WRAPPED) == (
            b"/**\n* plotly.js\n*/\nvar a=()=>{return b();};window.Plotly=a();\n/* of others */\n"
        )

    def test_another_way_of_building_it_is_left_alone(self) -> None:
        other = self.WRAPPED.replace(b"return Plotly;", b"return root.Plotly;")
        assert unwrapped(other) == other

    def test_the_installed_one_is_unwrapped(self) -> None:
        wrapped = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
        assert len(unwrapped(wrapped)) < len(wrapped)
