"""How the demo's tables look: a title, a few columns, and a line below that says what it means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

BAR_CELLS = 20
TEXT_WIDTH = 40

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def section(title: str, table: Table, meaning: str) -> RenderableType:
    """A table under its title, and below it what it means."""
    return Group(Text(title, "bold cyan"), table, Text(meaning, "italic dim"), Text())


def make_table(left: Sequence[str], right: Sequence[str] = ()) -> Table:
    """A table with `left` columns of text, then `right` columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def bar(share: float) -> str:
    """A bar for a share of 0 to 1, in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest]).ljust(BAR_CELLS)


def number(value: object) -> str:
    """With commas for thousands."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: object) -> str:
    """As people say it: 850 ms, 12.3 s, 2 min 05 s."""
    value = float(str(seconds))
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def moment(value: object) -> str:
    """A time or a day, UTC."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%m-%d %H:%M:%S}"
    return f"{value:%a %d %b}" if isinstance(value, date) else str(value)


def short(value: object, width: int = TEXT_WIDTH) -> str:
    """Text from outside: cut, nothing in it that would steer a terminal or style a table."""
    text = "".join(one if one.isprintable() else "·" for one in str(value))
    return escape(text if len(text) <= width else text[: width - 1] + "…")
