"""telemetry-sink console, and telemetry-sink tokens: add, list, revoke."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config, setup_logging
from sinks.command import fail
from sinks.console.config import PREFIXES, ConsoleConfig
from sinks.console.tokens import ALL_APPS, TokenError, TokenStore

app = typer.Typer(
    name="tokens",
    help="Tokens of the console: who may see which app. A change works at once.",
    no_args_is_help=True,
)


def _config() -> ConsoleConfig:
    try:
        return load_config(ConsoleConfig, PREFIXES, os.environ)
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None


def console_command() -> None:
    """Serve the web page over the named queries until SIGTERM or Ctrl-C.

    Example: TELEMETRY_CLICKHOUSE_URL=http://clickhouse:8123 telemetry-sink console
    """
    config = _config()
    for name in ("jinja2", "plotly"):
        if find_spec(name) is None:
            raise fail(f"the package {name} is missing; install the extra: console", BAD_USAGE)
    from sinks.console.serve import serve  # needs the extra

    setup_logging(config.log_level, config.log_format)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(config, stop, lambda url: typer.echo(f"console ready {url}"))

    try:
        asyncio.run(main())
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None


@app.command("add")
def add_command(
    of_app: Annotated[str, typer.Argument(metavar="APP", help="the app it shows")] = ALL_APPS,
    operator: Annotated[bool, typer.Option("--operator", help="of all apps instead")] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="take over the token in this file")
    ] = None,
) -> None:
    """Make a token and print it, or take over one of a file; only its hash is kept.

    Example: telemetry-sink tokens add shop
    """
    if operator == bool(of_app):
        raise fail("name an APP, or say --operator", BAD_USAGE)
    try:
        given = None if token_file is None else token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"--token-file: {error}", BAD_USAGE) from None
    with _token_errors():
        token = _store().add(of_app, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), given)
    typer.echo(token if given is None else f"{of_app or 'all apps'}: the token is known")


@app.command("list")
def list_command() -> None:
    """Show app, id and age of every token; never the tokens, which are not stored."""
    with _token_errors():
        tokens = _store().load()
    table = Table("app", "id", "created")
    for one in tokens:
        table.add_row(one.app or "(all apps)", one.id, one.created_at)
    Console().print(table)


@app.command("revoke")
def revoke_command(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="a token, or its id from `list`")],
) -> None:
    """Take a token away: pages and streams with it end at once."""
    with _token_errors():
        gone = _store().revoke(token)
    typer.echo(f"revoked {gone.id} of {gone.app or 'all apps'}")


def _store() -> TokenStore:
    return TokenStore(Path(_config().tokens_path))


@contextmanager
def _token_errors() -> Iterator[None]:
    try:
        yield
    except TokenError as error:
        raise fail(str(error), FOUND_WRONG) from None
