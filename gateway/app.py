"""The gateway as one ASGI application: ingest paths answered raw, all else by Starlette."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from secrets import token_hex
from typing import Any

from prometheus_client import Counter
from starlette.applications import Starlette

from gateway.config import GatewayConfig
from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.body import Disconnected, Receive
from gateway.edge.keys import KeyRing
from gateway.health import MetricsPage, service_routes
from gateway.ingest import Ingest
from gateway.metrics import Metrics
from gateway.protocols.protocol import Answer, Head, Protocol
from gateway.publish.publisher import Publisher
from gateway.routing import Match, Routes

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_REQUEST_ID_LENGTH = 64
_printable = re.compile(rb"[\x21-\x7e]{1,64}").fullmatch


class Gateway:
    """Dispatches ingest paths before Starlette's router: they are all that has to be fast."""

    def __init__(
        self,
        config: GatewayConfig,
        ingest: Ingest,
        protocols: Sequence[Protocol],
        other: Starlette,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._routes = Routes(protocols)
        self._ingest = ingest
        self._other = other
        self._metrics = metrics
        self._now_ms = now_ms
        self._answers: dict[tuple[str, int], Counter] = {}
        self._cors = _cors_headers(config.cors_origin)
        self._preflight = _preflight_headers(config.cors_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        matches = self._routes.find(scope["path"]) if scope["type"] == "http" else []
        if not matches:
            await self._other(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _respond(send, 204, b"", self._preflight)
        else:
            await self._answer(matches, scope, receive, send)

    async def _answer(
        self, matches: list[Match], scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = self._now_ms()
        head = _head_of(scope)
        request_id = _request_id(head)
        match = next((one for one in matches if one.route.method == head.method), None)
        more: Headers = []
        if match is None:
            match = matches[0]
            more.append((b"allow", ", ".join(_methods(matches)).encode("ascii")))
            text = f"the method is {head.method[:16]}, it must be {match.route.method}"
            answer = match.protocol.refuse(head, Refused(RefusalCode.METHOD_NOT_ALLOWED, text))
        elif match.route.answer is not None:
            answer = match.route.answer(head)
        else:
            try:
                answer, wait = await self._ingest.answer(match.protocol, head, request_id, receive)
            except Disconnected:
                return
            if wait is not None:
                more.append((b"retry-after", str(wait).encode("ascii")))
        headers = [*self._headers(answer, request_id), *more]
        await _respond(send, answer.status, answer.body, headers)
        self._count(match.protocol.name, answer.status)
        self._metrics.request_seconds.observe((self._now_ms() - started) / 1000)

    def _count(self, protocol: str, status: int) -> None:
        counter = self._answers.get((protocol, status))
        if counter is None:  # a label costs more than counting
            counter = self._metrics.requests.labels(protocol, str(status))
            self._answers[protocol, status] = counter
        counter.inc()

    def _headers(self, answer: Answer, request_id: str) -> Headers:
        headers = [
            (b"content-type", answer.content_type),
            (b"x-request-id", request_id.encode("ascii")),
            *self._cors,
        ]
        if answer.status in (400, 408, 413):
            headers.append((b"connection", b"close"))  # what is left of the body is not read
        return headers


def create_app(
    config: GatewayConfig,
    publisher: Publisher,
    keys: KeyRing,
    metrics: Metrics,
    protocols: Sequence[Protocol],
    now_ms: Callable[[], int],
    metrics_page: MetricsPage | None = None,
) -> Gateway:
    """Compose the application. The caller runs the publisher and keeps the keys fresh;
    `metrics_page` tells more than `metrics` where this is one of several processes."""
    ingest = Ingest(config, publisher, keys, metrics, now_ms)
    metrics.watch(ingest.admission)
    other = Starlette(routes=service_routes(publisher, metrics_page or metrics.page))
    return Gateway(config, ingest, protocols, other, metrics, now_ms)


def _head_of(scope: Scope) -> Head:
    path = scope["path"]
    return Head(
        method=scope["method"],
        path=path[:-1] if len(path) > 1 and path.endswith("/") else path,
        query=scope["query_string"],
        headers=dict(scope["headers"]),
        peer=(scope.get("client") or ("",))[0],
    )


def _request_id(head: Head) -> str:
    """The client's, if it is printable and short enough; else ours."""
    given = head.headers.get(b"x-request-id", b"")
    return given.decode("ascii") if _printable(given) else token_hex(16)


def _methods(matches: Sequence[Match]) -> list[str]:
    return sorted({one.route.method for one in matches} | {"OPTIONS"})


async def _respond(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(body)).encode("ascii"))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


def _cors_headers(origin: str) -> Headers:
    if not origin:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"X-Request-Id, Retry-After"),
    ]


def _preflight_headers(origin: str) -> Headers:
    if not origin:
        return []
    return [
        *_cors_headers(origin),
        (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
        (
            b"access-control-allow-headers",
            b"Authorization, Content-Type, Content-Encoding, X-Write-Key, X-Request-Id, "
            b"X-Attempt, X-Device-Id",
        ),
        (b"access-control-max-age", b"86400"),
    ]
