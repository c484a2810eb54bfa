"""Results as people read them: one table on the terminal, one page of documentation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Column, Table

from tests.faults.results import RowResult

HEADINGS = (
    "row", "fault", "injected", "acknowledged", "lost", "duplicated", "inverted", "stall s",
    "500s", "seconds", "scale", "control",
)  # fmt: skip

OUTCOME_LENGTH = 50  # characters of what a control did

INTRODUCTION = """\
What the whole path (phones, gateway, three Kafka brokers, sink, ClickHouse) went through in the
last run of `make test-faults`, and what came of it. Phones keep every answer in a ledger;
afterwards each acknowledged event is looked for in ClickHouse. *Lost*: not there. *Duplicated*:
counted more than once, in rows or in sums. *Inverted*: devices whose events lie in another order
than they were acknowledged in. *Stall*: the longest time between two answers of 200 while load ran.
A *control* is a composition that breaks the promise on purpose: the same faults and the same
comparison have to find it.""".splitlines()


def table_of(results: Sequence[RowResult]) -> Table:
    columns = [
        Column(name, justify="left" if name in ("row", "fault", "control") else "right")
        for name in HEADINGS
    ]
    table = Table(*columns)
    for one in results:
        style = None if one.is_good else "bold red"
        table.add_row(*map(escape, _cells(one)), style=style)
    return table


def _cells(one: RowResult) -> list[str]:
    return [
        one.row,
        one.title,
        str(one.injected),
        f"{one.acknowledged:,}",
        str(one.lost),
        str(one.duplicated),
        str(one.inverted),
        f"{one.stall_seconds:.1f}",
        str(one.errors_500),
        f"{one.seconds:.0f}",
        f"{one.scale:g}",
        _control(one),
    ]


def _control(one: RowResult) -> str:
    if one.control is None:
        return "none"
    word = "found" if one.control.is_found_out else "NOT FOUND"
    return f"{word}: {one.control.outcome[:OUTCOME_LENGTH]}"


def _literal(cell: str) -> str:
    """As Markdown shows it in a table."""
    return cell.replace("\\", "\\\\").replace("|", "\\|")


def page_of(results: Sequence[RowResult]) -> str:
    """docs/FAULTS.md."""
    days = sorted({one.at[:10] for one in results})
    commits = ", ".join(f"`{one}`" for one in sorted({one.commit for one in results}))
    machines = " and ".join(sorted({one.machine for one in results}))
    minutes = sum(one.seconds for one in results) / 60
    lines = [
        "# Faults",
        "",
        *INTRODUCTION,
        "",
        f"Run on {' and '.join(days)}, commit {commits}, on {machines}: {minutes:.0f} minutes. A"
        " *scale* of 1 is a row's full volume. Written by `python -m tests.faults report`.",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "| " + " | ".join("---" for _ in HEADINGS) + " |",
        *("| " + " | ".join(_literal(cell) for cell in _cells(one)) + " |" for one in results),
        "",
        "## The rows",
        "",
    ]
    for one in results:
        lines.append(f"**{one.row}** {one.fault}")
        if one.note:
            lines.append(f"{one.note[0].upper()}{one.note[1:]}.")
        if one.control is not None:
            lines.append(f"Control: {one.control.says}.")
        if one.wrong:
            lines.append(f"**Failed**: {'; '.join(one.wrong)}.")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"
