"""What the tools for SDK writers found: tables of a fault server and of the conformance checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from loadtest.conformance import Checked
from loadtest.fault_judge import Finding, Seen
from loadtest.tables import make_table, number, section, short

WRONG_WIDTH = 150  # characters of what is wrong, and of what was answered
GOOD, WRONG = "[green]✔[/green]", "[red]✘[/red]"


def show_faults(console: Console, seen: Sequence[Seen]) -> None:
    """What was done to the SDK."""
    table = make_table(("what its POSTs met",), ("POSTs",))
    for fault, count in Counter(one.fault for one in seen).most_common():
        table.add_row(fault, number(count))
    console.print(section("The faults", table, "ok is a POST that nothing happened to."))


def show_judged(console: Console, findings: Sequence[Finding]) -> None:
    """What the SDK did."""
    table = make_table(("what the SDK did",), ("count", ""))
    table.add_column("the first of them", overflow="fold")
    for one in findings:
        mark = WRONG if one.is_wrong else GOOD if one.is_judged else ""
        table.add_row(one.what, number(one.count), mark, short(one.example, WRONG_WIDTH))
    console.print(
        section(
            "The SDK",
            table,
            "Lost are gaps in a device's sequence below one that was delivered.",
        )
    )


def show_conformance(console: Console, checked: Sequence[Checked]) -> None:
    """Each check, and what was answered where it failed."""
    table = make_table(("check", ""))
    table.add_column("answered", overflow="fold")
    for one in checked:
        mark = f"{WRONG} failed" if one.wrong else f"{GOOD} ok"
        told = short(one.answered)
        if one.wrong:
            told = f"{short(one.wrong, WRONG_WIDTH)}: {short(one.answered, WRONG_WIDTH)}"
        table.add_row(one.name, mark, told)
    good = sum(not one.wrong for one in checked)
    console.print(
        section("The native contract", table, f"{good} of {len(checked)} checks are as it says.")
    )
