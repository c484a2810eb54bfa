"""The paths for operators and tools: /livez, /readyz, /metrics, /openapi.json."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.contract.readiness import answer
from gateway.openapi import document
from gateway.readiness import Readiness

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


MetricsPage = Callable[[], Awaitable[bytes]]


def service_routes(readiness: Readiness, metrics_page: MetricsPage) -> list[Route]:
    """Everything that is not ingest."""
    openapi = document()

    async def livez(_: Request) -> Response:
        """The process answers. Never asks Kafka: a restart would not help it."""
        return JSONResponse({"live": True})

    async def readyz(_: Request) -> Response:
        """200 when an event sent now can be kept, else 503 with the reasons."""
        told = answer(readiness.lacks())
        return JSONResponse(told.body, told.status)

    async def show_metrics(_: Request) -> Response:
        return Response(await metrics_page(), media_type=METRICS_TYPE)

    async def show_openapi(_: Request) -> Response:
        return JSONResponse(openapi)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
        Route("/openapi.json", show_openapi),
    ]
