"""A gateway over a fake publisher that listens, with its own server and guard: for real SDKs."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from gateway.config import GatewayConfig
from gateway.edge.tls import tls_of
from gateway.serve import Server, uvicorn_config
from tests.gateway_app import GatewayUnderTest
from tests.kafka import wait_until


@contextmanager
def listening(gateway: GatewayUnderTest) -> Iterator[str]:
    """Its address; the server has a thread of its own."""
    app: Any = gateway.http.app
    server = uvicorn.Server(uvicorn_config(app, GatewayConfig(), gateway.metrics))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = server.serve(sockets=[listener])
        thread = threading.Thread(target=asyncio.run, args=(serving,))
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@asynccontextmanager
async def served(
    gateway: GatewayUnderTest, config: GatewayConfig | None = None
) -> AsyncIterator[str]:
    """Its address; the server runs in the loop of the test."""
    app: Any = gateway.http.app
    config = config or GatewayConfig()
    tls = tls_of(config, gateway.metrics)
    ready = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(
            uvicorn_config(app, config, gateway.metrics, tls),
            ready.set,
            config.head_timeout_seconds,
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await ready.wait()
            yield f"{'http' if tls is None else 'https'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
