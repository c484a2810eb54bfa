"""One console process: options in, a listening server out, drained when it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from gateway.runtime import ConfigError
from sinks.clickhouse.sql import Server
from sinks.console.app import create_app
from sinks.console.ask import Asker
from sinks.console.config import ConsoleConfig
from sinks.console.patience import Patience
from sinks.console.tokens import TokenError, TokenStore
from sinks.health import HealthServer

DRAIN_SECONDS = 5
MAX_CONNECTIONS = 256
BACKLOG = 128


async def serve(config: ConsoleConfig, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serve until `stop` is set; `ready` is told the address. Raises ConfigError."""
    tokens = TokenStore(Path(config.tokens_path))
    try:
        config.check(len(tokens.known()))
    except TokenError as error:
        raise ConfigError(f"TELEMETRY_CONSOLE_TOKENS_PATH: {error}") from None
    listener = _bind(config)
    host, port = listener.getsockname()[:2]
    asker = Asker(
        Server(
            url=config.clickhouse_url,
            user=config.clickhouse_user,
            password=config.clickhouse_password,
            ca_path=config.clickhouse_ca_path,
        ),
        max_queries=config.max_queries,
        query_seconds=config.query_seconds,
    )
    app = create_app(config, asker, tokens, lambda: datetime.now(UTC).date(), stop)
    server = HealthServer(
        uvicorn.Config(
            app,
            http=Patience,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            ws="none",
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    server.should_exit = True
    await serving


def _bind(config: ConsoleConfig) -> socket.socket:
    """Take the address and listen. Raises ConfigError naming the option when it is taken."""
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        raise ConfigError(
            f"TELEMETRY_CONSOLE_PORT: cannot listen on {config.host}:{config.port}: "
            f"{error.strerror or error}"
        ) from None
