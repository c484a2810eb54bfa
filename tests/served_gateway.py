"""A gateway over a fake publisher behind its own server, on a free port of loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from gateway.app import Gateway
from gateway.config import GatewayConfig
from gateway.serve import _Server, _uvicorn_config
from tests.gateway_app import GatewayUnderTest


@asynccontextmanager
async def served(gateway: GatewayUnderTest) -> AsyncIterator[str]:
    """Its URL, while it serves."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = asyncio.Event()
    app = cast(Gateway, gateway.http.app)
    server = _Server(_uvicorn_config(app, GatewayConfig(), gateway.metrics), ready.set)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await ready.wait()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
