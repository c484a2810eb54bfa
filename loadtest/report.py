"""What a run's check found: the account, why events were not accepted, and event by event."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from loadtest.account import Account
from loadtest.compare import Found
from loadtest.ledger import Ledger
from loadtest.tables import make_table, number, section, short
from loadtest.verify import Findings

KINDS = {
    "lost": "lost",
    "duplicated": "stored twice",
    "inverted": "devices out of order",
    "altered": "altered",
    "never_sent": "never sent",
}


def show_account(console: Console, account: Account) -> None:
    """Every event that was sent, and where it ended."""
    promised, stored = account.promised, account.stored
    table = make_table(("what the phones were told", "events", "what ClickHouse holds"))
    table.columns[1].justify = "right"
    table.add_column("events", justify="right")
    table.add_column("difference", justify="right")
    table.add_row("accepted", number(promised.accepted), "stored", number(stored.stored))
    table.add_row("", "", "copies dropped (sent again)", number(stored.duplicates_dropped))
    if account.kept_unanswered:
        table.add_row("", "", "of tries without an answer", f"-{number(account.kept_unanswered)}")
    dead, letters = number(stored.dead_lettered), number(stored.rejected_at_the_door)
    table.add_row("", "", "dead-lettered by the sink", dead, _difference(account.difference))
    rejected, without = number(promised.rejected), _difference(account.rejected_difference)
    table.add_row("rejected", rejected, "dead letters of the door", letters, without)
    table.add_row("duplicate within one POST", number(promised.duplicate), "[dim]never kept[/dim]")
    table.add_row("refused with its POST", number(promised.refused), "[dim]never kept[/dim]")
    table.add_row("no answer: sent again", number(promised.unanswered), "[dim]kept or not[/dim]")
    table.add_section()
    table.add_row("[bold]sent[/bold]", f"[bold]{number(promised.sent)}[/bold]")
    console.print(
        section(
            "The account: where every event ended",
            table,
            "What the phones were promised is in ClickHouse, each event once, and nothing else is.",
        )
    )


def show_reasons(console: Console, ledger: Ledger) -> None:
    """Why events were not accepted; nothing when all were."""
    reasons = ledger.reasons()
    if not reasons:
        return
    table = make_table(("outcome", "reason"), ("events",))
    for outcome, reason, count in reasons:
        table.add_row(outcome, short(reason), number(count))
    console.print(
        section(
            "Not accepted, and why",
            table,
            "Rejected is final for one event, refused for a whole POST; no answer means: again.",
        )
    )


def show_summary(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """What a load run came to."""
    table = make_table(("", "this run"))
    table.columns[1].no_wrap = False
    for name, said in lines:
        table.add_row(name, escape(said))
    console.print(
        section(
            "The load, and what came of it",
            table,
            "503 and 429 are how a full gateway says: later. Phones send the same events again.",
        )
    )


def show_progress(console: Console) -> Progress:
    """A bar for each step of the check."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def show_findings(console: Console, findings: Findings) -> None:
    """What verify found, by kind and place, with a few names of what is wrong."""
    kafka, stored = findings.kafka, findings.clickhouse
    table = make_table((f"{number(findings.accepted)} accepted events",))
    for name in ("in Kafka", "in ClickHouse"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("some of them", overflow="fold")
    for kind, name in KINDS.items():
        there: Found | None = getattr(kafka, kind, None)
        here: Found = getattr(stored, kind)
        names = dict.fromkeys([*(there.examples if there else ()), *here.examples])
        if kind == "duplicated":
            there = None  # copies in Kafka are as they should be
        table.add_row(
            name,
            "[dim]-[/dim]" if there is None else _difference(there.count),
            _difference(here.count),
            ", ".join(map(short, names)),
        )
    aside = stored.dead_lettered
    examples = ", ".join(map(short, aside.examples))
    table.add_row("put aside by the sink", "", number(aside.count) + "  ", examples)
    console.print(
        section(
            "The check: every accepted event by its id",
            table,
            "Order is that of Kafka's offsets, and of what the phone itself counted.",
        )
    )


def _difference(count: int) -> str:
    return f"[red]{number(count)} ✘[/red]" if count else "[green]0 ✔[/green]"
