"""/metrics, /livez and /readyz of a sink process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LIVE_SECONDS = 30.0


class Rendered(Protocol):
    """The metrics of a process."""

    def render(self) -> bytes:
        """The text that `/metrics` answers."""


class HealthServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def health_server(
    host: str,
    port: int,
    metrics: Rendered,
    last_tick: Callable[[], float],
    is_ready: Callable[[], bool],
) -> HealthServer:
    """A server for operators; the caller runs it."""

    async def livez(_: Request) -> Response:
        age = time.monotonic() - last_tick()
        status = 200 if age < LIVE_SECONDS else 503
        return JSONResponse({"live": status == 200, "tick_seconds": round(age, 1)}, status)

    async def readyz(_: Request) -> Response:
        ready = is_ready()
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def show(_: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app = Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", show)]
    )
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    return HealthServer(config)
