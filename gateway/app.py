"""The gateway as one ASGI application: protocols' paths by the dispatch, all else by Starlette.

The guard answers most POSTs itself, at half the cost. This is the way of the others: pipelined
ones, upgrades, and any other server's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.applications import Starlette

from gateway.config import GatewayConfig
from gateway.contract.forgotten import Wishes
from gateway.denied import Denied
from gateway.dispatch import Dispatch
from gateway.edge.keys import KeyRing
from gateway.edge.response import Response
from gateway.health import MetricsPage, service_routes
from gateway.ingest.post import Post
from gateway.ingest.services import services_of
from gateway.ingest.tracing import Traces
from gateway.metrics import Metrics
from gateway.protocols.protocol import Head, Protocol
from gateway.publish.publisher import Publisher
from gateway.readiness import Readiness

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class Gateway:
    """The dispatch comes before Starlette's router: its paths are all that has to be fast."""

    def __init__(self, dispatch: Dispatch, readiness: Readiness, other: Starlette) -> None:
        self.dispatch = dispatch
        self.readiness = readiness
        self._other = other

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        matches = self.dispatch.routes.find(scope["path"]) if scope["type"] == "http" else []
        if not matches:
            await self._other(scope, receive, send)
            return
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def respond(response: Response) -> None:
            if not answer.done():  # the server may have cancelled us
                answer.set_result(response)

        post = self.dispatch.open(matches, _head_of(scope), respond)
        if post is None or await _read(post, receive):
            await _send(send, await answer)


def create_app(
    config: GatewayConfig,
    publisher: Publisher,
    keys: KeyRing,
    metrics: Metrics,
    protocols: Sequence[Protocol],
    now_ms: Callable[[], int],
    metrics_page: MetricsPage | None = None,
    wishes: Wishes | None = None,
    denied: Denied | None = None,
    traces: Traces | None = None,
) -> Gateway:
    """Compose the application. The caller runs the publisher and keeps keys, wishes and
    `denied` fresh; `metrics_page` tells more than `metrics` where this is one of several processes.

    Raises ConfigError.
    """
    services = services_of(config, publisher, keys, metrics, now_ms, wishes, denied, traces)
    readiness = Readiness(publisher, keys)
    metrics.watch(services.admission)
    metrics.watch_ready(readiness)
    other = Starlette(routes=service_routes(readiness, metrics_page or metrics.page))
    other.router.redirect_slashes = False  # it would lead to whatever Host the request names
    return Gateway(Dispatch(services, protocols), readiness, other)


def _head_of(scope: Event) -> Head:
    path = scope["path"]
    return Head(
        method=scope["method"],
        path=path[:-1] if len(path) > 1 and path.endswith("/") else path,
        query=scope["query_string"],
        headers=dict(scope["headers"]),
        peer=(scope.get("client") or ("",))[0],
    )


async def _read(post: Post, receive: Receive) -> bool:
    """Hand on the body; False when the client left in it and hears no answer."""
    started = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(None) as timeout:
            while not post.is_over:
                timeout.reschedule(started + post.body_seconds)
                event = await receive()
                if event["type"] != "http.request":
                    post.gone()
                    return False
                post.arrived(event.get("body", b""))
                if not event.get("more_body"):
                    break
    except TimeoutError:
        post.too_slow()
        return True
    except asyncio.CancelledError:
        post.gone()
        raise
    if not post.is_over:
        post.complete()
    return True


async def _send(send: Send, response: Response) -> None:
    status = response.status or 503  # ASGI knows no hanging up
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
    if response.closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
