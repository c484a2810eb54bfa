"""What the demo shows: the account first, then the analysts' answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from rich.console import Console
from rich.table import Table

from loadtest.account import Account
from loadtest.verify import Findings
from sinks.clickhouse.sql import Answer, AsyncClient, run_query

TIMELINE_ROWS = 12
TEXT_WIDTH = 44
CRASH_COLUMNS = ("crash_group", "crash_type", "crashes", "devices", "last_seen")
TIMELINE_COLUMNS = ("ts", "event_type", "event_name", "sequence", "app_version", "time_quality")


def show_account(console: Console, account: Account) -> None:
    """Every event that was sent, and where it ended."""
    promised, stored = account.promised, account.stored
    table = Table(title="The account", title_justify="left", caption_justify="left")
    table.caption = "accepted = stored + copies dropped + dead-lettered; the difference must be 0"
    for name in ("what the phones were told", "events", "what ClickHouse holds", "events "):
        table.add_column(name, justify="right" if name.startswith("events") else "left")
    table.add_row("sent", str(promised.sent), "", "")
    table.add_row("accepted", str(promised.accepted), "stored", str(stored.stored))
    table.add_row("", "", "copies dropped (re-sent)", str(stored.duplicates_dropped))
    table.add_row("", "", "dead-lettered", str(stored.dead_lettered))
    table.add_row("duplicate in one POST", str(promised.duplicate), "", "")
    table.add_row(
        "rejected", str(promised.rejected), "rejected, kept as letters",
        str(stored.rejected_at_the_door),
    )  # fmt: skip
    table.add_row("unanswered", str(promised.unanswered), "", "")
    table.add_section()
    state = "[green]0[/green]" if account.is_closed else f"[red]{account.difference}[/red]"
    table.add_row("difference", str(promised.difference), "difference", state)
    console.print(table)


def show_findings(console: Console, findings: Findings) -> None:
    """What verify found wrong, by kind."""
    table = Table(title="Checked event by event", title_justify="left")
    for name in ("lost", "stored twice", "out of order", "never sent"):
        table.add_column(name, justify="right")
    table.add_row(
        *(
            f"[green]{len(found)}[/green]" if not found else f"[red]{len(found)}[/red]"
            for found in (
                findings.lost,
                findings.stored_twice,
                findings.out_of_order,
                findings.never_sent,
            )
        )
    )
    console.print(table)


async def show_answers(
    console: Console, client: AsyncClient, app: str, device: str, first: date, last: date
) -> None:
    """The named queries an analyst would ask first."""
    params = {"app": app, "from": str(first), "to": str(last)}

    async def ask(name: str, **more: str) -> Answer:
        return await run_query(client, name, {**params, **more}, last)

    _show(console, "Sessions per day, and their length", await ask("sessions_per_day"))
    _show(console, "Devices per day", await ask("daily_active_devices"))
    _show(console, "Crash-free devices per release", await ask("crash_free_devices"))
    _show(console, "Top crash groups", await ask("top_crash_groups"), CRASH_COLUMNS)
    timeline = await ask("device_timeline", device=device)
    last_rows = Answer(timeline.columns, timeline.rows[-TIMELINE_ROWS:])
    _show(console, f"The last events of {device}, in its order", last_rows, TIMELINE_COLUMNS)
    _show(console, "Freshness: from the POST to the answer", await ask("freshness"))


def _show(
    console: Console, title: str, answer: Answer, columns: Sequence[str] | None = None
) -> None:
    """A table of `columns`, all of them when None."""
    names = [name for name in answer.columns if columns is None or name in columns]
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in answer.as_objects():
        table.add_row(*(_text(row[name]) for name in names))
    console.print(table)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M:%S}"
    text = str(value)
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"
