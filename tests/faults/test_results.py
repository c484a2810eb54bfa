"""Results survive an interruption, and are told truly."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.faults.results import ControlResult, Results, RowResult
from tests.faults.rows import ORDER, ROWS
from tests.faults.table import page_of, table_of


def result(**changes: Any) -> RowResult:
    fields: dict[str, Any] = {
        "row": "1a", "title": "gateway kill -9", "fault": "It is killed.", "injected": 50,
        "acknowledged": 12_345, "lost": 0, "duplicated": 0, "inverted": 0, "stall_seconds": 2.5,
        "errors_500": 0, "seconds": 200.0, "wrong": [], "scale": 1.0, "commit": "abc",
        "at": "2026-11-25T20:28:17Z", "machine": "2 CPUs",
    }  # fmt: skip
    return RowResult(**fields | changes)


def control(**changes: Any) -> ControlResult:
    fields: dict[str, Any] = {"says": "an early 200", "outcome": "lost 7", "is_found_out": True}
    return ControlResult(**fields | changes)


def text_of(*results: RowResult) -> str:
    console = Console(width=200, file=StringIO())
    with console.capture() as captured:
        console.print(table_of(results))
    return captured.get()


class TestResults:
    def test_the_last_one_of_a_row_counts(self, tmp_path: Path) -> None:
        results = Results(tmp_path / "new")
        for one in (result(lost=3), result(row="1b"), result(lost=0)):
            results.add(one)

        assert Results(tmp_path / "new").latest(1.0) == {"1a": result(), "1b": result(row="1b")}

    def test_other_scales_and_commits_are_not_this_run(self, tmp_path: Path) -> None:
        results = Results(tmp_path)
        results.add(result(scale=0.1))
        results.add(result(row="2a", commit="def"))

        assert results.latest(1.0, "abc") == {}
        assert list(results.latest(1.0)) == ["2a"]

    def test_a_report_takes_the_largest_scale_and_of_it_the_last(self, tmp_path: Path) -> None:
        results = Results(tmp_path)
        for one in (result(lost=1), result(lost=2), result(scale=0.1, lost=3)):
            results.add(one)

        assert results.fullest()["1a"].lost == 2


class TestJudgement:
    def test_a_row_is_good_without_complaints(self) -> None:
        assert result().is_good
        assert result(control=control()).is_good

    def test_whatever_is_wrong_makes_it_bad(self) -> None:
        assert not result(wrong=["3 lost"]).is_good

    def test_a_control_that_is_not_found_out_makes_it_bad(self) -> None:
        missed = result(control=control(is_found_out=False, outcome="lost 0"))

        assert missed.complaints == ["the control was not found out: lost 0"]


class TestTable:
    def test_it_has_every_figure(self) -> None:
        text = text_of(result(control=control()))

        for part in ("1a", "gateway kill -9", "50", "12,345", "2.5", "200", "1", "found: lost 7"):
            assert part in text

    def test_brackets_are_no_markup(self) -> None:
        assert "found: [/red] x" in text_of(result(control=control(outcome="[/red] x")))


class TestPage:
    def test_it_explains_each_row_with_date_and_machine(self) -> None:
        page = page_of([result(control=control(), note="as it was"), result(row="2a")])

        assert "Run on 2026-11-25, commit `abc`, on 2 CPUs: 7 minutes." in page
        assert "**1a** It is killed.\nAs it was.\nControl: an early 200." in page
        assert "| 2a | gateway kill -9 | 50 | 12,345 |" in page

    def test_a_bar_does_not_end_a_cell(self) -> None:
        assert "a \\| b" in page_of([result(title="a | b")])


class TestRows:
    def test_each_has_its_place(self) -> None:
        assert tuple(row.number for row in ROWS) == ORDER
