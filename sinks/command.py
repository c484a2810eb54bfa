"""What all commands share: their options, and errors as one line and an exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config
from sinks.clickhouse import sql
from sinks.config import PREFIXES, SinkConfig

T = TypeVar("T")


def load() -> SinkConfig:
    """The options of this environment. Exits when one is wrong."""
    try:
        config = load_config(SinkConfig, PREFIXES, os.environ)
        config.client_security()
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    return config


def fail(text: str, code: int) -> typer.Exit:
    """Say why on stderr; raise what is returned."""
    typer.echo(f"telemetry-sink: {text}", err=True)
    return typer.Exit(code)


def server(config: SinkConfig) -> sql.Server:
    return sql.Server(
        url=config.clickhouse_url,
        user=config.clickhouse_user,
        password=config.clickhouse_password,
        ca_path=config.clickhouse_ca_path,
    )


def ask(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; what the user did wrong or the server refused becomes a line and a code."""
    try:
        return asyncio.run(work)
    except sql.QueryError as error:
        raise fail(str(error), BAD_USAGE) from None
    except (sql.Unreachable, sql.SchemaError, sql.ClickHouseError) as error:
        raise fail(str(error), FOUND_WRONG) from None
