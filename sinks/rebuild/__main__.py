"""telemetry-sink replay: arguments, progress, exit codes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.runtime import BAD_USAGE, FOUND_WRONG
from sinks.clickhouse import sql
from sinks.clickhouse.pauses import ClickHousePauses
from sinks.clickhouse.shadow import LONG_SECONDS, SHADOW, Shadow
from sinks.clickhouse.shadow_rows import ShadowRows
from sinks.clickhouse.sink import known_settings
from sinks.command import fail, load
from sinks.config import SinkConfig
from sinks.kafka_clients import reach
from sinks.rebuild.log_reader import LogReader
from sinks.rebuild.log_writer import LogWriter
from sinks.rebuild.replay import NotSwapped, Period, Replay, Swapped, Tools, begin
from sinks.retry import Patience, chances
from sinks.sink import Misconfigured, Retryable
from sinks.wishes import read_wishes


def replay_command(
    first: Annotated[
        str | None,
        typer.Option("--from", help="read the log from here on, UTC; copy what is older"),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="read the log up to here, UTC; copy what is younger")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with a replay that was interrupted")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="drop what an interrupted replay has left")
    ] = False,
    accept_fewer: Annotated[
        bool, typer.Option("--accept-fewer", help="swap although a view's table has fewer rows")
    ] = False,
) -> None:
    """Rebuild `events` and every table behind its views from the log, and swap them in.

    The sink goes on meanwhile, and rests for some seconds at the swap. What the log does not keep
    any more is copied from the live `events`. Without --from and --to, all of the log is read.

    A new view over old events: make its table and its view, then replay.

    Exit code 1: nothing was swapped; the live tables are as they were.

    Example: telemetry-sink replay --from 2026-11-01T00:00:00
    """
    config = load()
    period = Period(_instant("--from", first), _instant("--to", last))
    if None not in (period.first_ms, period.last_ms) and period.first_ms >= period.last_ms:  # type: ignore[operator]
        raise fail(f"--from: {first} is not before --to, {last}", BAD_USAGE)
    if resume and discard:
        raise fail("--resume and --discard exclude each other", BAD_USAGE)
    try:
        done = asyncio.run(_replay(config, period, resume, discard, accept_fewer))
    except (NotSwapped, Retryable, Misconfigured, sql.Unreachable) as error:
        raise fail(str(error), FOUND_WRONG) from None
    if done is None:
        typer.echo("nothing of a replay is left")
        return
    typer.echo(f"swapped: {', '.join(done.tables)}")
    typer.echo(f"events has {done.rows} rows, {done.regained} of them had been missing; "
               f"{done.read} offsets read from the log, {done.copied} copied; "
               f"the sink rested for {done.pause_seconds:.1f} s")  # fmt: skip


async def _replay(
    config: SinkConfig, period: Period, resume: bool, discard: bool, accept_fewer: bool
) -> Swapped | None:
    client = await sql.connect(
        sql.Server(
            url=config.clickhouse_url,
            user=config.clickhouse_user,
            password=config.clickhouse_password,
            ca_path=config.clickhouse_ca_path,
            timeout_seconds=int(LONG_SECONDS),
        )
    )
    try:
        shadow = Shadow(client)
        begun = await shadow.begun() if await shadow.exists() else None
        if discard or (resume and begun is None):
            await shadow.drop()
        elif await shadow.exists() and not resume:
            raise NotSwapped(f"database {SHADOW} is there: a replay is running or was interrupted; "
                             "go on with --resume, or drop it with --discard")  # fmt: skip
        if discard:
            return None
        await shadow.drop_permits()
        reader = await LogReader.open(reach(config))
        try:
            settings = await known_settings(client)
            with _progress() as progress:
                task = progress.add_task("rebuilding", total=None)
                tools = Tools(
                    shadow=shadow,
                    rows=ShadowRows(client, settings),
                    reader=reader,
                    writer=LogWriter(
                        client,
                        settings,
                        config.dedup_window_offsets,
                        Patience(chances()),
                        await read_wishes(reach(config)),
                    ),
                    pauses=ClickHousePauses(client),
                    group=config.group,
                    accept_fewer=accept_fewer,
                    show=lambda done, total: progress.update(task, completed=done, total=total),
                )
                return await Replay(tools, begun or await begin(tools, period)).run()
        finally:
            await reader.close()
    finally:
        await client.close()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise fail(
            f"{option}: {text!r} is no time; one is 2026-11-24T05:20:00", BAD_USAGE
        ) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp() * 1000)
