"""telemetry-gateway: serve, keys, config, schema. Arguments, environment, signals, exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Column, Table

from gateway.config import PREFIXES, GatewayConfig
from gateway.contract.asyncapi import ASYNCAPI_FILE, asyncapi
from gateway.contract.schema import RECORD_SCHEMA_FILE, as_text, record_schema
from gateway.edge.keys import KeyStore, KeyStoreError, new_key
from gateway.options import check
from gateway.publish.kafka import places
from gateway.runtime import (
    BAD_USAGE,
    FOUND_WRONG,
    ConfigError,
    load_config,
    options_of,
    setup_logging,
    shown,
)
from gateway.serve import bind, serve
from gateway.workers.crew import Crew, share_of
from gateway.workers.keeper import keep
from gateway.workers.parent import stopped_with_parent
from gateway.workers.run_folder import RunFolder
from gateway.workers.supervisor import StartFailed, Supervisor

app = typer.Typer(
    name="telemetry-gateway",
    help="Takes events from phones over HTTP and answers 200 once they are kept.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(
    help="Write keys: which app a phone may write to. A change works within a second.",
    no_args_is_help=True,
)
app.add_typer(keys_app, name="keys")

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder [default: TELEMETRY_GATEWAY_DATA or ./data]"),
]


def _config(
    data: Path | None = None, tls_cert: Path | None = None, tls_key: Path | None = None
) -> GatewayConfig:
    environ = dict(os.environ)
    for name, given in (("DATA", data), ("TLS_CERT_PATH", tls_cert), ("TLS_KEY_PATH", tls_key)):
        if given is not None:
            environ[f"TELEMETRY_GATEWAY_{name}"] = str(given)
    try:
        return load_config(GatewayConfig, PREFIXES, environ)
    except ConfigError as error:
        typer.echo(f"telemetry-gateway: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None


@app.command("serve")
def serve_command(
    data: DataOption = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="processes; SIGHUP replaces them one by one")
    ] = 1,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert", help="PEM of certificate and chain, for HTTPS; read anew when it changes"
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", help="PEM of its key [default: in the same file]")
    ] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain.

    Example: TELEMETRY_KAFKA_BOOTSTRAP=kafka:9092 telemetry-gateway serve --data /var/lib/telemetry
    """
    config = _config(data, tls_cert, tls_key)
    setup_logging(config.log_level, config.log_format)
    with _config_errors():
        check(config)
        if workers == 1:
            listener = bind(config)
            _run(lambda stop: serve(config, listener, stop, _say_ready))
        else:
            supervise(config, workers)


def supervise(config: GatewayConfig, workers: int) -> None:
    """Run several workers. Raises ConfigError."""
    reserved = bind(config, shared=True)  # nobody listens on it: it keeps the port ours
    host, port = reserved.getsockname()[:2]
    try:
        run = RunFolder.make(len(places(config.kafka_partitions)))
    except OSError as error:
        raise ConfigError(f"no folder for the workers' sockets: {error}") from None
    supervisor = Supervisor(config, run, workers, port)

    scheme = "https" if config.tls_cert_path else "http"

    async def main(stop: asyncio.Event) -> None:
        renew = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew.set)
        await supervisor.run(stop, renew, lambda: _say_ready(f"{scheme}://{host}:{port}"))

    try:
        _run(main)
    except StartFailed as error:
        typer.echo(f"telemetry-gateway: {error}", err=True)
        raise typer.Exit(error.code or FOUND_WRONG) from None
    finally:
        run.remove()


RunOption = Annotated[Path, typer.Option("--run", help="folder of the gateway's sockets")]


@app.command("worker", hidden=True)
def worker_command(
    run: RunOption,
    index: Annotated[int, typer.Option(help="among the workers")],
    workers: Annotated[int, typer.Option(help="how many there are")],
) -> None:
    """One of the processes of `serve --workers`, which starts it."""
    config = _config()
    setup_logging(config.log_level, config.log_format)
    share = share_of(config, workers)
    with _config_errors():
        listener = bind(config, shared=True)
        folder = RunFolder(run)
        crew = Crew(folder, index, workers, has_keeper=config.spool_bytes > 0)

        async def main(stop: asyncio.Event) -> None:
            async with stopped_with_parent(stop, folder):
                await serve(share, listener, stop, _say_ready, crew=crew)

        _run(main)


@app.command("keeper", hidden=True)
def keeper_command(run: RunOption) -> None:
    """The process of `serve --workers` that keeps the spool, and is started by it."""
    config = _config()
    setup_logging(config.log_level, config.log_format)
    folder = RunFolder(run)

    async def main(stop: asyncio.Event) -> None:
        async with stopped_with_parent(stop, folder):
            await keep(config, folder, stop, lambda: typer.echo("keeper ready"))

    with _config_errors():
        _run(main)


def _run(main: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> None:
    """Run until `main` ends; the event tells it of SIGTERM and Ctrl-C."""

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_signals())


@contextmanager
def _config_errors() -> Iterator[None]:
    """Wrong options as one line and an exit code."""
    try:
        yield
    except ConfigError as error:
        typer.echo(f"telemetry-gateway: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None


def _say_ready(url: str) -> None:
    typer.echo(f"gateway ready {url}")


@app.command("config")
def config_command() -> None:
    """Show every option with its value, as this environment sets it."""
    config = _config()
    table = Table(Column("variable", no_wrap=True), "value", "meaning")
    for option in options_of(GatewayConfig, PREFIXES):
        table.add_row(option.variable, shown(config, option), option.meaning)
    Console().print(table)


@app.command("schema")
def schema_command(
    into: Annotated[Path | None, typer.Option("--into", help="write the files there")] = None,
) -> None:
    """Print the JSON Schema of a record, or write it and the topics' AsyncAPI document.

    Example: telemetry-gateway schema --into docs/schemas
    """
    files = {RECORD_SCHEMA_FILE: record_schema(), ASYNCAPI_FILE: asyncapi()}
    if into is None:
        typer.echo(as_text(files[RECORD_SCHEMA_FILE]), nl=False)
        return
    try:
        into.mkdir(parents=True, exist_ok=True)
        for name, document in files.items():
            (into / name).write_text(as_text(document), encoding="utf-8")
    except OSError as error:
        typer.echo(f"telemetry-gateway: --into: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None


@keys_app.command("add")
def keys_add(
    app_name: Annotated[str, typer.Argument(metavar="APP", help="letters, digits, . _ -")],
    key: Annotated[
        str | None, typer.Option("--key", help="take over this key, as shipped in an app")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="the same, read from a file")
    ] = None,
    data: DataOption = None,
) -> None:
    """Make a key for APP and print it, or take over an existing one.

    Example: telemetry-gateway keys add shop --key vendor-key-0123
    """
    given = _given_key(key, key_file)
    value = given if given is not None else new_key()
    with _key_errors():
        entry = _store(data).add(app_name, value, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    typer.echo(f"app {entry.app} has the key {entry.id}" if given is not None else value)


def _given_key(key: str | None, key_file: Path | None) -> str | None:
    if key_file is None:
        return key
    try:
        return key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"telemetry-gateway: --key-file: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None


@keys_app.command("list")
def keys_list(data: DataOption = None) -> None:
    """Show app, id and age of every key; never the keys, which are not stored."""
    with _key_errors():
        entries = _store(data).load()
    table = Table("app", "id", "created")
    for entry in entries:
        table.add_row(entry.app, entry.id, entry.created_at)
    Console().print(table)


@keys_app.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="a key, or its id from `keys list`")],
    data: DataOption = None,
) -> None:
    """Take a key away: POSTs with it are answered 401 within a second."""
    with _key_errors():
        entry = _store(data).revoke(key)
    typer.echo(f"revoked {entry.id} of app {entry.app}")


def _store(data: Path | None) -> KeyStore:
    return KeyStore(Path(_config(data).data))


@contextmanager
def _key_errors() -> Iterator[None]:
    """Key errors as one line and an exit code."""
    try:
        yield
    except KeyStoreError as error:
        typer.echo(f"telemetry-gateway: {error}", err=True)
        raise typer.Exit(FOUND_WRONG) from None


def main() -> None:
    """Entry point of the script."""
    app()


if __name__ == "__main__":
    main()
