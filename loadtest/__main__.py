"""telemetry-loadtest: its commands. Arguments, environment and exit codes."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config, now_ms
from loadtest.capacity.__main__ import plan_command, simulate_command
from loadtest.client import BadUrl, PhoneClient
from loadtest.config import PREFIXES, LoadtestConfig
from loadtest.conformance import check_gateway
from loadtest.conformance_maker import Maker
from loadtest.fault_judge import Seen, judge
from loadtest.fault_server import CannotListen, FaultServer
from loadtest.faults import DEFAULT_SCRIPT, BadScript, Player, parse_script, random_steps
from loadtest.ledger import Ledger
from loadtest.ledger_file import LedgerFile
from loadtest.load import Load, put_load
from loadtest.locust_process import LoadFailed
from loadtest.meter import Sample
from loadtest.plan import Plan, Shape
from loadtest.report import show_findings, show_progress, show_summary
from loadtest.sdk_report import show_conformance, show_faults, show_judged
from loadtest.seed import EVENTS_PER_SESSION, SeedPlan, run_seed
from loadtest.summary import summarise, wrong_with
from loadtest.topic import KafkaUnreachable
from loadtest.verify import Findings
from loadtest.verify_file import Checked, verify_file
from sinks.clickhouse.sql import ClickHouseError, SchemaError, Unreachable, connect

app = typer.Typer(
    name="telemetry-loadtest",
    help="Simulated phones, the check that nothing they were promised got lost, and what SDK "
    "writers need.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("plan")(plan_command)
app.command("simulate")(simulate_command)

T = TypeVar("T")

WIDTH = 100  # columns of a report; a pipe has no width of its own

SeedOption = Annotated[int, typer.Option(help="the same seed is the same fleet")]
PatienceOption = Annotated[
    float,
    typer.Option("--patience-seconds", min=0, max=3600, help="for the last event to be stored"),
]


def _config(*, posts: bool) -> LoadtestConfig:
    """The options; a command that `posts` needs a write key."""
    try:
        config = load_config(LoadtestConfig, PREFIXES, os.environ)
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None
    if posts and not config.write_key:
        hint = 'set it, or run: eval "$(telemetry-infra env)"'
        raise _fail(f"TELEMETRY_LOADTEST_WRITE_KEY is empty; {hint}", BAD_USAGE)
    return config


def _need(*modules: str) -> None:
    """Stop when a package of the extra `loadtest` is not installed."""
    for name in modules:
        if find_spec(name) is None:
            raise _fail(f"the package {name} is missing; install the extra: loadtest", BAD_USAGE)


def _fail(text: str, code: int) -> typer.Exit:
    typer.echo(f"telemetry-loadtest: {text}", err=True)
    return typer.Exit(code)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (Unreachable, ClickHouseError) as error:
        raise _fail(str(error), FOUND_WRONG) from None
    except KafkaUnreachable as error:
        raise _fail(f"Kafka: {error}", FOUND_WRONG) from None
    except BadUrl as error:
        raise _fail(f"TELEMETRY_LOADTEST_GATEWAY_URL: {error}", BAD_USAGE) from None


def _open_ledger(path: Path | None) -> LedgerFile | None:
    try:
        return None if path is None else LedgerFile(path)
    except OSError as error:
        raise _fail(f"--ledger: {error}", BAD_USAGE) from None


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


@app.command("demo")
def demo_command(
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="phones")] = 200,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="how long they post")] = 10,
    seed: SeedOption = 7,
    ledger: Annotated[Path | None, typer.Option(help="keep the ledger in this file")] = None,
    patience_seconds: PatienceOption = 40,
) -> None:
    """Let a fleet and a real SDK post, then show the account and the analysts' answers.

    Example: eval "$(telemetry-infra env)" && telemetry-loadtest demo --devices 500
    """
    config = _config(posts=True)
    _need("segment")
    from loadtest.demo import DemoOptions, NotReady, run_demo  # needs the real SDK

    options = DemoOptions(
        gateway_url=config.gateway_url,
        write_key=config.write_key,
        clickhouse=config.server,
        app=config.app,
        devices=devices,
        seconds=seconds,
        seed=seed,
        patience_seconds=patience_seconds,
    )
    file = _open_ledger(ledger)
    try:
        wrong = _run(run_demo(options, Ledger(file=file), _console()))
    except NotReady as error:
        raise _fail(str(error), FOUND_WRONG) from None
    finally:
        if file is not None:
            file.close()
    if wrong:
        raise _fail("; ".join(wrong), FOUND_WRONG)


@app.command("verify")
def verify_command(
    ledger: Annotated[Path, typer.Option(help="file of what phones sent and were told")],
    kafka: Annotated[
        str | None, typer.Option(help="host:port of brokers [default: TELEMETRY_KAFKA_BOOTSTRAP]")
    ] = None,
    patience_seconds: PatienceOption = 30,
) -> None:
    """Check a ledger against ClickHouse, and against Kafka where it is told of, event by event.

    Example: telemetry-loadtest verify --ledger run.jsonl --kafka 127.0.0.1:9092
    """
    config = _config(posts=False)
    bootstrap = config.kafka_bootstrap if kafka is None else kafka
    try:
        security = config.client_security() if bootstrap else {}
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None
    checked = Checked(
        app=config.app,
        ledger=ledger,
        bootstrap=bootstrap,
        security=security,
        patience_seconds=patience_seconds,
    )

    async def main() -> Findings:
        client = await connect(config.server)
        try:
            with show_progress(_console()) as progress:
                return await verify_file(client, checked, progress)
        finally:
            await client.close()

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we say in one line what failed
    try:
        findings = _run(main())
    except (OSError, msgspec.DecodeError) as error:
        raise _fail(f"--ledger: {error}", BAD_USAGE) from None
    show_findings(_console(), findings)
    if not findings.is_clean:
        raise _fail("the ledger and what is stored disagree", FOUND_WRONG)


@app.command("run")
def run_command(
    shape: Annotated[Shape, typer.Option(help="how the phones behave")] = "steady",
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="phones at most")] = 50,
    seconds: Annotated[int, typer.Option(min=1, max=86_400, help="how long")] = 30,
    seed: SeedOption = 7,
    time_factor: Annotated[
        float, typer.Option(min=1, max=3600, help="how many times as fast phones live")
    ] = 60,
    ledger: Annotated[Path | None, typer.Option(help="keep the ledger in this file")] = None,
    report: Annotated[Path | None, typer.Option(help="write a page with plots here")] = None,
    web_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="serve locust's own page on loopback until Ctrl-C"),
    ] = None,
) -> None:
    """Put load on the gateway with locust; show how it goes and what came of it.

    Example: telemetry-loadtest run --shape herd --devices 500 --seconds 60 --report herd.html
    """
    config = _config(posts=True)
    _need("locust", *(["plotly"] if report is not None else []))
    _touch("--report", report)
    _touch("--ledger", ledger)
    plan = Plan(
        shape=shape,
        devices=devices,
        seconds=seconds,
        seed=seed,
        time_factor=time_factor,
        write_key=config.write_key,
        ledger=str(ledger or ""),
    )
    load = Load(plan=plan, gateway_url=_gateway(config.gateway_url), web_port=web_port)

    async def main() -> list[Sample]:
        return await put_load(load, _console(), _stop_on_signals)

    try:
        samples = _run(main())
    except LoadFailed as error:
        raise _fail(str(error), FOUND_WRONG) from None
    show_summary(_console(), summarise(samples))
    if report is not None:
        from loadtest.page import page_of  # needs plotly

        page = page_of(load, samples, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        report.write_text(page, encoding="utf-8")
    if wrong := wrong_with(samples):
        raise _fail("; ".join(wrong), FOUND_WRONG)


@app.command("seed")
def seed_command(
    events: Annotated[
        int, typer.Option(min=1000, max=1_000_000_000, help="how many, about")
    ] = 5_000_000,
    devices: Annotated[int, typer.Option(min=1, max=100_000_000, help="of so many")] = 150_000,
    days: Annotated[int, typer.Option(min=1, max=390, help="over so many days")] = 30,
    last: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="the last of them, UTC [default: yesterday]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="the same seed is the same events")] = 7,
) -> None:
    """Fill ClickHouse with a data set to try queries on, past gateway and Kafka.

    The user of TELEMETRY_CLICKHOUSE_USER has to be one that may insert.

    Example: telemetry-loadtest seed --events 5000000 --devices 150000 --days 30
    """
    config = _config(posts=False)
    last_day = last.date() if last is not None else datetime.now(UTC).date() - timedelta(days=1)
    plan = SeedPlan(
        app=config.app, events=events, devices=devices, days=days, last=last_day, seed=seed
    )
    if plan.sessions_per_device < 1:
        least = math.ceil(devices * EVENTS_PER_SESSION)
        raise _fail(f"--events: {devices} devices have at least {least} events", BAD_USAGE)

    async def main() -> int:
        client = await connect(config.server)
        try:
            return await run_seed(client, plan, _console())
        finally:
            await client.close()

    started = time.monotonic()
    try:
        stored = _run(main())
    except SchemaError as error:
        raise _fail(str(error), FOUND_WRONG) from None
    seconds = time.monotonic() - started
    typer.echo(f"{stored:,} events of {devices:,} devices in app {config.app}, {seconds:.0f} s")


@app.command("fault-server")
def fault_server_command(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free one")] = 8091,
    script: Annotated[
        str | None, typer.Option(help=f"steps, such as {DEFAULT_SCRIPT} [default: dice]")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the dice; the same one is the same faults")] = 7,
    seconds: Annotated[float, typer.Option(min=0, help="end after so long; 0: at Ctrl-C")] = 0,
    posts: Annotated[int, typer.Option(min=0, help="end after so many POSTs; 0: at Ctrl-C")] = 0,
) -> None:
    """Stand in for a gateway that fails, and judge what an SDK makes of it.

    Example: telemetry-loadtest fault-server --port 8091 --seconds 120
    """
    try:
        steps = random_steps(random.Random(seed)) if script is None else parse_script(script)  # noqa: S311
    except BadScript as error:
        raise _fail(f"--script: {error}", BAD_USAGE) from None

    async def main() -> list[Seen]:
        server = FaultServer(
            Player(steps),
            host=host,
            port=port,
            seconds=seconds,
            posts=posts,
            calms_down=script is None,
        )
        async with server:
            typer.echo(f"fault server ready {server.url}")
            _stop_on_signals(server.ended.set)
            await server.ended.wait()
        return server.seen

    try:
        seen = _run(main())
    except CannotListen as error:
        raise _fail(f"--port: cannot listen on {error}", BAD_USAGE) from None
    findings = judge(seen)
    show_faults(_console(), seen)
    show_judged(_console(), findings)
    if wrong := [one.what for one in findings if one.is_wrong]:
        raise _fail(f"wrong: {'; '.join(wrong)}", FOUND_WRONG)


@app.command("conformance")
def conformance_command(
    url: Annotated[str, typer.Argument(help="HTTP address of a gateway")],
    key: Annotated[str, typer.Option(help="write key of an app for tests: it stores events")],
) -> None:
    """Check what a running gateway answers against the native contract.

    Example: telemetry-loadtest conformance http://127.0.0.1:8080 --key 8c0b2e…
    """
    make = Maker(now_ms(), random.SystemRandom())
    try:
        checked = asyncio.run(check_gateway(url, key, make))
    except BadUrl as error:
        raise _fail(str(error), BAD_USAGE) from None
    show_conformance(_console(), checked)
    if wrong := sum(bool(one.wrong) for one in checked):
        raise _fail(f"{wrong} of {len(checked)} checks failed", FOUND_WRONG)


def _stop_on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop)


def _touch(option: str, path: Path | None) -> None:
    """Stop now when the file cannot be written, not after the run."""
    try:
        if path is not None:
            path.open("ab").close()
    except OSError as error:
        raise _fail(f"{option}: {error}", BAD_USAGE) from None


def _gateway(url: str) -> str:
    try:
        PhoneClient(url, "")
    except BadUrl as error:
        raise _fail(f"TELEMETRY_LOADTEST_GATEWAY_URL: {error}", BAD_USAGE) from None
    return url


def main() -> None:
    """Entry point of the script."""
    app()


if __name__ == "__main__":
    main()
