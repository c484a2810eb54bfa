"""telemetry-sink dead-letters: list, replay."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.runtime import BAD_USAGE, FOUND_WRONG
from sinks.clickhouse import dead_letters, present, sql
from sinks.clickhouse.dead_letters import DAYS, FIRST_DAY, LAST_DAY, Asked
from sinks.command import ask, fail, load, server
from sinks.config import SinkConfig
from sinks.kafka_clients import reach
from sinks.letters.dead_topic import DeadTopic, KafkaSilent
from sinks.letters.plan import MEANINGS, Decision, Wanted
from sinks.letters.replay import Replayer, Report, decide

app = typer.Typer(
    name="dead-letters",
    help="Events that nobody stored: why, which, and how to put them back.",
    no_args_is_help=True,
)

App = Annotated[str | None, typer.Option("--app", help="of this app")]
Reason = Annotated[str | None, typer.Option("--reason", help="with this code")]
Source = Annotated[
    Literal["door", "sink"] | None,
    typer.Option("--source", help="door: rejected there; sink: a record it could not store"),
]
From = Annotated[str | None, typer.Option("--from", help="first day they came, UTC")]
To = Annotated[str | None, typer.Option("--to", help="last day they came, UTC, inclusive")]


@app.command("list")
def list_command(
    of_app: App = None,
    reason: Reason = None,
    source: Source = None,
    first: From = None,
    last: To = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="of examples, newest first")] = 10,
    format_: Annotated[
        Literal["table", "json"], typer.Option("--format", help="how to print it")
    ] = "table",
) -> None:
    """Count the dead letters in ClickHouse by reason, then show some.

    Example: telemetry-sink dead-letters list --app shop --source sink --from 2026-11-01
    """
    config = load()
    days = _days(first, last)
    asked = Asked(
        app=of_app or "",
        reason=reason or "",
        source=source or "",
        first=days[0] or FIRST_DAY,
        last=days[1] or LAST_DAY,
    )

    async def main() -> tuple[sql.Answer, sql.Answer]:
        client = await sql.connect(server(config))
        try:
            return (
                await dead_letters.counts(client, asked),
                await dead_letters.examples(client, asked, limit),
            )
        finally:
            await client.close()

    counts, examples = ask(main())
    if format_ == "json":
        both = {"reasons": present.objects(counts), "examples": present.objects(examples)}
        typer.echo(json.dumps(both, indent=2, ensure_ascii=False))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    present.print_table(counts, "Dead letters by reason", console)
    if examples.rows:
        present.print_table(examples, "The newest of them", console)


@app.command("replay")
def replay_command(
    of_app: App = None,
    reason: Reason = None,
    source: Source = None,
    first: From = None,
    last: To = None,
    limit: Annotated[int | None, typer.Option(min=1, help="put back at most so many")] = None,
    rate: Annotated[float | None, typer.Option(min=0.1, help="records per second")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what it would do")] = False,
) -> None:
    """Put dead letters of the sink back into app-events, once whatever was wrong is mended.

    Each goes back with its bytes and key into its partition, behind what lies there, and is
    marked: the next replay leaves it alone.

    One that still cannot be stored becomes a letter again, and counts for the brake. Letters of
    the door are no records and stay; --source sink leaves them out.

    Exit code 1: something that was asked for could not be put back.

    Example: telemetry-sink dead-letters replay --app shop --reason refused --source sink --dry-run
    """
    config = load()
    days = _days(first, last)
    wanted = Wanted(
        app=of_app,
        reason=reason,
        source=source,
        first=days[0],
        last=days[1],
        limit=limit,
    )
    try:
        report = asyncio.run(_replay(config, wanted, rate, is_dry=dry_run))
    except KafkaSilent as error:
        raise fail(str(error), FOUND_WRONG) from None
    verb = "would be replayed" if dry_run else "replayed"
    typer.echo(f"{report.matched} letters matched: {report.replayed} {verb}, "
               f"{report.skipped.total()} skipped")  # fmt: skip
    for skip, count in report.skipped.most_common():
        typer.echo(f"  {count} {skip}: {MEANINGS[skip]}")
    if report.failure is not None:
        raise fail(f"ended early, run it again to go on: {report.failure}", FOUND_WRONG)
    if not report.is_whole:
        raise typer.Exit(FOUND_WRONG)


async def _replay(
    config: SinkConfig, wanted: Wanted, rate: float | None, *, is_dry: bool
) -> Report:
    dead = await DeadTopic.open(reach(config))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            reading = progress.add_task("reading letters", total=dead.length)
            decision = await decide(dead, wanted, lambda: progress.advance(reading))
            progress.update(reading, completed=dead.length)
            if is_dry:
                return _as_report(decision)
            sending = progress.add_task("putting back", total=len(decision.chosen))
            replayer = Replayer(reach(config), rate, lambda n: progress.advance(sending, n))
            return await replayer.run(dead, decision)
    finally:
        await dead.close()


def _as_report(decision: Decision) -> Report:
    """What a replay would come to if Kafka took all of it."""
    return Report(matched=decision.matched, replayed=len(decision.chosen), skipped=decision.skipped)


def _days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    days = _day("--from", first), _day("--to", last)
    if days[0] and days[1] and days[0] > days[1]:
        raise fail(f"--from: {first} is after --to, {last}", BAD_USAGE)
    return days


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise fail(f"{option}: {text!r} is no day; one is 2026-11-24", BAD_USAGE) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise fail(f"{option}: {text} is not in {DAYS}", BAD_USAGE)
    return day


if __name__ == "__main__":
    app()
