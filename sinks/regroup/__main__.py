"""telemetry-sink regroup."""

from __future__ import annotations

from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.contract.grouping.group import GROUP_VERSION
from gateway.runtime import FOUND_WRONG
from sinks.clickhouse import sql
from sinks.command import ask, fail, load, server
from sinks.regroup.regroup import ChangeFailed, Regrouping, Report


def regroup_command() -> None:
    """Give stored crashes the group that this version's rule gives them.

    Run it when every gateway runs this version. The sink may go on storing meanwhile; may be
    ended at any time, and run again. Example: telemetry-sink regroup
    """
    config = load()

    async def main() -> Report:
        client = await sql.connect(server(config))
        try:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as shown:
                reading = shown.add_task("reading crashes", total=None)
                run = Regrouping(client, datetime.now(UTC), lambda n: shown.advance(reading, n))
                months = await run.months()
                shown.update(reading, total=sum(one.crashes for one in months))
                return await run.run(months)
        finally:
            await client.close()

    try:
        report = ask(main())
    except ChangeFailed as error:
        raise fail(str(error), FOUND_WRONG) from None
    typer.echo(
        f"version {GROUP_VERSION}: {report.read:,} crashes read, {report.moved:,} have another"
        f" group now, {report.left:,} too new to be touched"
    )
