"""The process that keeps the spool of several workers: entries in, one log per lane, answers out.

It has a sender of its own, by which it drains; workers only read its board.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from gateway.config import GatewayConfig
from gateway.metrics import Metrics
from gateway.options import kafka_options, open_spool
from gateway.publish.kafka import KafkaPublisher
from gateway.publish.spool.port import SpoolAnswer, SpoolPort
from gateway.runtime import now_ms
from gateway.watchdog import watch_loop
from gateway.workers.run_folder import KEEPER, RunFolder
from gateway.workers.scrape import serve_metrics
from gateway.workers.wire import Frames, WireError, answer_frame, read_entry, status_frame

log = logging.getLogger(__name__)

STATUS_SECONDS = 0.5


async def keep(
    config: GatewayConfig, run: RunFolder, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Keep the spool until `stop` is set and no worker is connected. Raises ConfigError."""
    metrics = Metrics()
    spool = await open_spool(config, run.board(), metrics)
    publisher = KafkaPublisher(kafka_options(config), now_ms, metrics)
    desk = _Desk(spool)
    run.keeper_socket.unlink(missing_ok=True)
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: _Connection(desk), str(run.keeper_socket)
    )
    ready()
    watch_loop()
    async with asyncio.TaskGroup() as tasks:
        background = [
            tasks.create_task(publisher.run()),
            tasks.create_task(spool.run(publisher.send)),
            tasks.create_task(serve_metrics(run.metrics_socket(KEEPER), metrics)),
            tasks.create_task(desk.tell_status()),
        ]
        await stop.wait()
        try:
            async with asyncio.timeout(config.drain_seconds):
                await desk.empty()
        except TimeoutError:
            log.warning("workers are still connected")
        server.close()
        for task in background:
            task.cancel()


class _Desk:
    """The spool, and the connections of its workers."""

    def __init__(self, spool: SpoolPort) -> None:
        self.spool = spool
        self.connections: set[_Connection] = set()
        self._left = asyncio.Event()

    def enter(self, connection: _Connection) -> None:
        self.connections.add(connection)

    def leave(self, connection: _Connection) -> None:
        self.connections.discard(connection)
        self._left.set()

    async def empty(self) -> None:
        while self.connections:
            self._left.clear()
            await self._left.wait()

    async def tell_status(self) -> None:
        told = self.spool.unready_reason()
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            reason = self.spool.unready_reason()
            if reason != told:
                told = reason
                for connection in self.connections:
                    connection.tell(reason)


class _Connection(asyncio.Protocol):
    """One worker."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # a stream's
        self._desk.enter(self)
        self.tell(self._desk.spool.unready_reason())

    def tell(self, reason: str | None) -> None:
        self._write(status_frame(reason))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._take(frame)
        except WireError as error:
            log.error("a worker is cut off: %s", error)  # noqa: TRY400
            if self._transport is not None:
                self._transport.abort()

    def _take(self, frame: bytes) -> None:
        handed = read_entry(frame)

        def done(answer: SpoolAnswer) -> None:
            self._write(answer_frame(handed.number, answer))

        self._desk.spool.append(handed.lane, handed.entry, handed.is_trip, done)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._desk.leave(self)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
