"""/metrics, /livez and /readyz of a sink process, from its start on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.contract.readiness import Lack, Lacks, answer

LIVE_SECONDS = 30.0


class Rendered(Protocol):
    """The metrics of a process."""

    def render(self) -> bytes:
        """The text that `/metrics` answers."""


class Loop(Protocol):
    """What a process does again and again."""

    @property
    def last_tick(self) -> float:
        """Its last round, by the monotonic clock in seconds."""

    def lacks(self) -> Lacks:
        """Why it cannot do its work now; empty when it can."""


class Condition:
    """What a process tells of itself: what it waits for at its start, then what its loop says."""

    def __init__(self) -> None:
        self.is_draining = False
        self._lacks: Lacks = {Lack.RECOVERY: "it is starting"}
        self._loop: Loop | None = None
        self._tick = time.monotonic()

    def waits(self, lack: Lack, text: str) -> None:
        """A try to start has failed, and another one comes."""
        self._lacks = {lack: text}
        self._tick = time.monotonic()

    def follow(self, loop: Loop) -> None:
        self._loop = loop

    def lacks(self) -> Lacks:
        found = self._lacks if self._loop is None else self._loop.lacks()
        return {**found, Lack.DRAINING: "told to stop"} if self.is_draining else found

    @property
    def tick_seconds(self) -> float:
        """Since a sign of life."""
        last = self._tick if self._loop is None else self._loop.last_tick
        return time.monotonic() - last


class HealthServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def told(
    host: str, port: int, metrics: Rendered, condition: Condition, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Answer operators meanwhile; port 0: nobody asks."""
    draining = asyncio.create_task(_drains(stop, condition))
    server = _server(host, port, metrics, condition)
    serving = asyncio.create_task(server.serve()) if port else None
    try:
        yield
    finally:
        draining.cancel()
        if serving is not None:
            server.should_exit = True
            await serving


async def _drains(stop: asyncio.Event, condition: Condition) -> None:
    await stop.wait()
    condition.is_draining = True


def _server(host: str, port: int, metrics: Rendered, condition: Condition) -> HealthServer:
    async def livez(_: Request) -> Response:
        age = condition.tick_seconds
        status = 200 if age < LIVE_SECONDS else 503
        return JSONResponse({"live": status == 200, "tick_seconds": round(age, 1)}, status)

    async def readyz(_: Request) -> Response:
        """200 when it does its work, else 503 with the reasons."""
        reply = answer(condition.lacks())
        return JSONResponse(reply.body, reply.status)

    async def show(_: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app = Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", show)]
    )
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    return HealthServer(config)
