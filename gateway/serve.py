"""One gateway process: options in, a listening server out, drained when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from gateway.app import Gateway, create_app
from gateway.config import GatewayConfig
from gateway.contract.forgotten import Wishes
from gateway.contract.pem import RenewedContext
from gateway.edge.cuts import GuardLimits
from gateway.edge.guard import LINGER_SECONDS, Guard
from gateway.edge.keys import KeyRing, KeyStore
from gateway.edge.tls import tls_of
from gateway.forgotten import WishReader
from gateway.ingest.services import denied_of
from gateway.metrics import Metrics
from gateway.options import kafka_options, open_spool, traces_of
from gateway.protocols import PROTOCOLS
from gateway.publish.kafka import KafkaPublisher, places
from gateway.reload import Reloader
from gateway.runtime import ConfigError, now_ms
from gateway.watchdog import watch_loop
from gateway.workers.crew import Crew

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75
SWEEP_SECONDS = 0.5
BACKLOG = 2048
GC_THRESHOLD = 100_000


class Server(uvicorn.Server):
    """uvicorn's server, told to stop by us: its own signal handling would end with the signal."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], handshake_seconds: float = 5.0
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._tls_bounds = {
            "ssl_handshake_timeout": handshake_seconds,
            "ssl_shutdown_timeout": LINGER_SECONDS,
        }

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's for sockets that are given, but a TLS handshake has as long as a head."""
        config = self.config
        loop = asyncio.get_running_loop()
        make: Callable[..., asyncio.Protocol] = config.http_protocol_class
        protocol = partial(make, config=config, server_state=self.server_state, app_state={})
        bounds: dict[str, Any] = {} if config.ssl is None else self._tls_bounds
        self.servers = [
            await loop.create_server(
                protocol, sock=one, ssl=config.ssl, backlog=config.backlog, **bounds
            )
            for one in sockets or ()
        ]
        self.started = True
        self._on_ready()


def bind(config: GatewayConfig, *, shared: bool = False) -> socket.socket:
    """Take the address, `shared` with other processes of this gateway; nobody listens yet.

    Raises ConfigError naming the option when it is taken.
    """
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((config.host, config.port))
        return listener
    except OSError as error:
        raise ConfigError(
            f"TELEMETRY_GATEWAY_PORT: cannot listen on {config.host}:{config.port}: "
            f"{error.strerror or error}"
        ) from None


async def serve(
    config: GatewayConfig,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[str], None],
    publisher_type: type[KafkaPublisher] = KafkaPublisher,
    crew: Crew | None = None,
) -> None:
    """Serve until `stop` is set, then drain: refuse new connections, end what is in flight,
    close the producer. Each step has its own time. `crew`: this is one of several workers.

    Raises ConfigError when the spool, the certificate or the file of denied properties cannot be
    used.
    """
    metrics = Metrics()
    tls = tls_of(config, metrics)
    keys = KeyRing(KeyStore(Path(config.data)))
    spool = None
    if crew is None and config.spool_bytes:
        spool = await open_spool(config, bytearray(len(places(config.kafka_partitions))), metrics)
    port_to_spool = crew.link if crew is not None else spool
    publisher = publisher_type(kafka_options(config), now_ms, metrics, port_to_spool)
    page = partial(crew.metrics_page, metrics) if crew is not None else metrics.page
    wishes = Wishes()
    denied = denied_of(config, metrics)
    traces = traces_of(config)
    app = create_app(
        config, publisher, keys, metrics, PROTOCOLS, now_ms, page, wishes, denied, traces
    )
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    server = Server(
        uvicorn_config(app, config, metrics, tls),
        lambda: ready(f"{scheme}://{host}:{port}"),
        config.head_timeout_seconds,
    )
    files = Reloader(keys, denied, metrics, tls)
    files.refresh()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    watch_loop()
    async with asyncio.TaskGroup() as tasks:
        background = [
            *([tasks.create_task(spool.run(publisher.send))] if spool is not None else []),
            *([tasks.create_task(crew.run(metrics))] if crew is not None else []),
            tasks.create_task(publisher.run()),
            tasks.create_task(files.run()),
            tasks.create_task(WishReader(kafka_options(config), wishes).run()),
            tasks.create_task(_sweep(server, metrics)),
            tasks.create_task(_stop_when(stop, server, app)),
        ]
        if crew is not None:
            await crew.joined()
        await server.serve(sockets=[listener])
        log.info("drained")
        for task in background:
            task.cancel()
    if traces is not None:
        await asyncio.to_thread(traces.close)


def uvicorn_config(
    app: Gateway, config: GatewayConfig, metrics: Metrics, tls: RenewedContext | None = None
) -> uvicorn.Config:
    """The server with the guard as its protocol."""
    limits = GuardLimits(
        head_bytes=config.max_head_bytes,
        headers=config.max_headers,
        head_seconds=config.head_timeout_seconds,
        idle_seconds=KEEP_ALIVE_SECONDS,
    )
    guard = partial(
        Guard,
        dispatch=app.dispatch,
        limits=limits,
        on_refused=lambda code: metrics.cut_connections.labels(code).inc(),
    )
    return uvicorn.Config(
        app,
        loop="none",
        http=guard,  # type: ignore[arg-type]  # called as a class would be
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(config.drain_seconds),
        backlog=BACKLOG,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )


async def _stop_when(stop: asyncio.Event, server: Server, app: Gateway) -> None:
    await stop.wait()
    app.readiness.is_draining = True
    log.info("stopping: no new connections, ending what is in flight")
    server.should_exit = True


async def _sweep(server: uvicorn.Server, metrics: Metrics) -> None:
    """End connections that take too long, and see how late the loop is."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SWEEP_SECONDS
        await asyncio.sleep(SWEEP_SECONDS)
        metrics.loop_lag_seconds.observe(max(0.0, loop.time() - due))
        for connection in list(server.server_state.connections):
            if isinstance(connection, Guard):
                connection.check(loop.time())
