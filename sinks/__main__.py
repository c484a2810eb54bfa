"""telemetry-sink: run, migrate, query, console … Arguments, environment, signals, exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, options_of, setup_logging, shown
from sinks.alerts.__main__ import app as alerts_app
from sinks.alerts.__main__ import run as run_alerts
from sinks.clickhouse import present, sql, trace
from sinks.clickhouse.grants import grants, grants_sql
from sinks.command import ask, fail, load, server
from sinks.config import PREFIXES, SinkConfig
from sinks.console.__main__ import app as tokens_app
from sinks.console.__main__ import console_command
from sinks.forget.__main__ import forget_command
from sinks.legacy.__main__ import legacy_command
from sinks.letters.__main__ import app as letters_app
from sinks.rebuild.__main__ import replay_command
from sinks.regroup.__main__ import regroup_command
from sinks.retrace.__main__ import app as mapping_app
from sinks.retrace.__main__ import retrace_command
from sinks.run import Stopped, run_clickhouse

app = typer.Typer(
    name="telemetry-sink",
    help="Stores events from Kafka in ClickHouse, each once, and answers questions about them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(letters_app)
app.add_typer(alerts_app)
app.add_typer(tokens_app)
app.add_typer(mapping_app)
app.command("console")(console_command)
app.command("regroup")(regroup_command)
app.command("replay")(replay_command)
app.command("forget")(forget_command)
app.command("retrace")(retrace_command)
app.command("legacy")(legacy_command)


@app.command("run")
def run_command(
    sink: Annotated[
        Literal["clickhouse", "alerts"], typer.Argument(help="which sink")
    ] = "clickhouse",
    instance: Annotated[
        str | None,
        typer.Option(help="a name of this process alone: keeps its partitions over a restart"),
    ] = None,
) -> None:
    """Store events, or watch them for alerts, until SIGTERM or Ctrl-C, then drain.

    Example: telemetry-sink run --instance sink-0
    """
    if sink == "alerts":
        run_alerts(instance)
        return
    config = load()
    setup_logging(config.log_level, config.log_format)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_clickhouse(config, instance, stop, lambda: typer.echo("sink ready"))

    try:
        asyncio.run(main())
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    except Stopped as reason:
        raise fail(str(reason), FOUND_WRONG) from None


@app.command("migrate")
def migrate_command() -> None:
    """Apply the numbered schema files once each, in order.

    Example: TELEMETRY_CLICKHOUSE_URL=http://clickhouse:8123 telemetry-sink migrate
    """
    config = load()

    async def main() -> list[str]:
        client = await sql.connect(server(config))
        try:
            return await sql.apply_schema(client)
        finally:
            await client.close()

    done = ask(main())
    typer.echo("\n".join(f"applied {name}" for name in done) or "nothing to apply")


@app.command("grants")
def grants_command(
    make: Annotated[
        bool, typer.Option("--apply", help="make them, instead of printing them")
    ] = False,
) -> None:
    """Show what each process may do in ClickHouse, as roles in SQL; or make those roles.

    Users are for an operator to make, each with its default role: their passwords are not ours.

    Example: telemetry-sink grants > grants.sql
    """
    if not make:
        typer.echo(grants_sql(), nl=False)
        return
    config = load()

    async def main() -> int:
        client = await sql.connect(server(config))
        try:
            for statement in grants():
                await sql.answered(client.command(statement))
        finally:
            await client.close()
        return len(grants())

    typer.echo(f"{ask(main())} statements applied")


@app.command("query")
def query_command(
    name: Annotated[str, typer.Argument(help="see `telemetry-sink queries`")],
    param: Annotated[list[str] | None, typer.Option(help="name=value, repeatable")] = None,
    format_: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="how to print it")
    ] = "table",
) -> None:
    """Ask one of the named queries.

    Example: telemetry-sink query daily_active_devices --param app=shop --param from=2026-11-01
    """
    config = load()
    params: dict[str, str] = {}
    for one in param or []:
        key, separator, value = one.partition("=")
        if not separator:
            raise fail(f"--param {one!r} must be name=value", BAD_USAGE)
        params[key] = value
    today = datetime.now(UTC).date()

    async def main() -> sql.Answer:
        sql.load(name).check(params, today)  # what is wrong is told without asking the server
        client = await sql.connect(server(config))
        try:
            return await sql.run_query(client, name, params, today)
        finally:
            await client.close()

    answer = ask(main())
    if format_ == "json":
        typer.echo(present.as_json(answer))
    elif format_ == "csv":
        typer.echo(present.as_csv(answer))
    else:
        console = Console(width=None if sys.stdout.isatty() else 160)
        present.print_table(answer, sql.load(name).title, console)


@app.command("trace")
def trace_command(
    event_id: Annotated[str, typer.Argument(help="the id, as the SDK sent it or as stored")],
    of_app: Annotated[str | None, typer.Option("--app", help="of this app")] = None,
    format_: Annotated[
        Literal["table", "json"], typer.Option("--format", help="how to print it")
    ] = "table",
) -> None:
    """Tell what became of one event: when it came, where it lies in Kafka, its row or dead letter.

    Exit code 1: nothing is known of it.

    Example: telemetry-sink trace 0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f --app shop
    """
    config = load()

    async def main() -> trace.Trace:
        client = await sql.connect(server(config))
        try:
            return await trace.trace(client, event_id, of_app or "")
        finally:
            await client.close()

    found = ask(main())
    if format_ == "json":
        both = {"rows": found.rows, "letters": found.letters}
        typer.echo(json.dumps(both, indent=2, ensure_ascii=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else 160)
        for title, facts in trace.told(found):
            present.print_facts(title, facts, console)
    if not found.is_known:
        where = f"of app {of_app}" if of_app else "of any app"
        text = (
            f"no row and no dead letter {where} has the id {event_id!r}: it never came, waits in "
            "the gateway's spool or in Kafka, was refused as a whole POST (429, 503), or its time "
            "in the tables is over"
        )
        raise fail(text, FOUND_WRONG)


@app.command("queries")
def queries_command() -> None:
    """List the named queries with their parameters and what they mean."""
    table = Table(Column("query", no_wrap=True), "parameters", "meaning", show_lines=True)
    for name in sql.names():
        query = sql.load(name)
        table.add_row(name, ", ".join(one.name for one in query.params), query.meaning)
    Console().print(table)


@app.command("config")
def config_command() -> None:
    """Show every option with its value, as this environment sets it."""
    config = load()
    table = Table(Column("variable", no_wrap=True), "value", "meaning")
    for option in options_of(SinkConfig, PREFIXES):
        table.add_row(option.variable, shown(config, option), option.meaning)
    Console().print(table)


def main() -> None:
    """Entry point of the script."""
    app()


if __name__ == "__main__":
    main()
