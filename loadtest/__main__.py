"""telemetry-loadtest: demo, run, verify. Arguments, environment and exit codes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import typer
from msgspec import Meta, Struct
from rich.console import Console

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config
from loadtest.demo import DemoOptions, run_demo
from loadtest.ledger import Ledger
from loadtest.report import show_findings
from loadtest.verify import Findings, compare, read_rows
from sinks.clickhouse.sql import ClickHouseError, Server, Unreachable, connect

app = typer.Typer(
    name="telemetry-loadtest",
    help="Simulated phones, and the check that nothing they were promised got lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
T = TypeVar("T")

PREFIXES = {"TELEMETRY_LOADTEST_": "", "TELEMETRY_CLICKHOUSE_": "clickhouse_"}
NARROWEST = 100  # columns; a pipe has no width of its own

LedgerOption = Annotated[Path, typer.Option("--ledger", help="file of what was promised")]


class LoadtestConfig(Struct, frozen=True, kw_only=True):
    """Options read from `TELEMETRY_LOADTEST_…`; `telemetry-infra env` prints them."""

    gateway_url: Annotated[str, Meta(description="HTTP address of the gateway")] = (
        "http://127.0.0.1:8080"
    )
    write_key: Annotated[str, Meta(description="write key of the app that posts")] = ""
    app: Annotated[str, Meta(description="that app")] = "demo"
    clickhouse_url: Annotated[str, Meta(description="HTTP address of ClickHouse")] = (
        "http://127.0.0.1:8123"
    )
    clickhouse_user: Annotated[str, Meta(description="its user; a reader suffices")] = "default"
    clickhouse_password: Annotated[str, Meta(description="its password, or …_FILE")] = ""

    @property
    def server(self) -> Server:
        return Server(
            url=self.clickhouse_url, user=self.clickhouse_user, password=self.clickhouse_password
        )


def _config() -> LoadtestConfig:
    try:
        return load_config(LoadtestConfig, PREFIXES, os.environ)
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None


def _fail(text: str, code: int) -> typer.Exit:
    typer.echo(f"telemetry-loadtest: {text}", err=True)
    return typer.Exit(code)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (Unreachable, ClickHouseError) as error:
        raise _fail(str(error), FOUND_WRONG) from None


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else NARROWEST)


@app.command("demo")
def demo_command(
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="phones")] = 200,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="how long they post")] = 10,
    seed: Annotated[int, typer.Option(help="the same seed is the same fleet")] = 7,
    ledger: Annotated[Path | None, typer.Option(help="keep the ledger in this file")] = None,
) -> None:
    """Let a fleet and a real SDK post, then show the account and the analysts' answers.

    Example: eval "$(telemetry-infra env)" && telemetry-loadtest demo --devices 500
    """
    config = _config()
    options = DemoOptions(
        gateway_url=config.gateway_url,
        write_key=config.write_key,
        clickhouse=config.server,
        app=config.app,
        devices=devices,
        seconds=seconds,
        seed=seed,
    )
    promised = Ledger()
    is_good = _run(run_demo(options, promised, _console()))
    if ledger is not None:
        promised.save(ledger)
    if not is_good:
        raise _fail("the account does not close", FOUND_WRONG)


@app.command("verify")
def verify_command(ledger: LedgerOption) -> None:
    """Check a ledger against ClickHouse, event by event.

    Example: telemetry-loadtest verify --ledger run.jsonl
    """
    config = _config()
    try:
        promised = Ledger.load(ledger)
    except (OSError, msgspec.DecodeError) as error:
        raise _fail(f"--ledger: {error}", BAD_USAGE) from None

    async def main() -> Findings:
        client = await connect(config.server)
        try:
            return compare(promised, await read_rows(client, config.app, promised))
        finally:
            await client.close()

    findings = _run(main())
    show_findings(_console(), findings)
    if not findings.is_clean:
        raise _fail("the ledger and ClickHouse disagree", FOUND_WRONG)


@app.command("run")
def run_command(
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="phones at most")] = 50,
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="how long")] = 30,
    shape: Annotated[Literal["steady", "spike"], typer.Option(help="phones over time")] = "steady",
    seed: Annotated[int, typer.Option(help="the same seed is the same fleet")] = 7,
) -> None:
    """Put load on the gateway with locust, in a process of its own; print its statistics.

    Example: telemetry-loadtest run --devices 200 --seconds 60 --shape spike
    """
    config = _config()
    environment = {
        **os.environ,
        "TELEMETRY_LOADTEST_WRITE_KEY": config.write_key,
        "TELEMETRY_LOADTEST_DEVICES": str(devices),
        "TELEMETRY_LOADTEST_SECONDS": str(seconds),
        "TELEMETRY_LOADTEST_SHAPE": shape,
        "TELEMETRY_LOADTEST_SEED": str(seed),
    }
    locustfile = files("loadtest") / "locustfile.py"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless"]
    started = datetime.now(UTC)
    done = subprocess.run(  # noqa: S603  # our own command line
        [*command, "--host", config.gateway_url, "--only-summary"], env=environment, check=False
    )
    typer.echo(f"ran from {started:%H:%M:%S} to {datetime.now(UTC):%H:%M:%S}")
    if done.returncode != 0:
        raise _fail("locust saw failures", FOUND_WRONG)


def main() -> None:
    """Entry point of the script."""
    app()


if __name__ == "__main__":
    main()
