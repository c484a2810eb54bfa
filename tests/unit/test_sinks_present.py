"""How answers look in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sinks.clickhouse.present import print_table
from sinks.clickhouse.sql import Answer


def shown(answer: Answer, width: int = 60) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(answer, "Title", console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class TestTable:
    def test_rows_that_fit_stand_one_below_the_other(self) -> None:
        lines = shown(Answer(("day", "devices"), [("2026-11-01", 7), ("2026-11-02", 8)]))

        assert [line.split() for line in lines.splitlines() if "2026" in line] == [
            ["│", "2026-11-01", "│", "7", "│"],
            ["│", "2026-11-02", "│", "8", "│"],
        ]

    def test_rows_that_are_too_wide_stand_upright(self) -> None:
        columns = tuple(f"column_{number}" for number in range(12))
        lines = shown(Answer(columns, [tuple(range(12)), tuple(range(12, 24))]))

        cells = [line.split("│")[1:3] for line in lines.splitlines() if "column_" in line]
        assert [(name.strip(), value.strip()) for name, value in cells] == [
            (f"column_{number % 12}", str(number)) for number in range(24)
        ]

    @pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "\r", "\x07", "\u202e"])
    def test_nothing_a_phone_sent_steers_the_terminal(self, text: str) -> None:
        assert text not in shown(Answer(("name",), [(f"a{text}b",)]))

    def test_what_looks_like_markup_is_text(self) -> None:
        assert "[red]x[/red]" in shown(Answer(("name",), [("[red]x[/red]",)]))

    def test_no_rows_are_said_in_words(self) -> None:
        lines = shown(Answer(("day", "devices"), []))

        assert "devices" in lines
        assert "no rows" in lines
