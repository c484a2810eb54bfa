"""Requests for the paths that protocols own: found by path, answered through the port of their
protocol. Whoever carries a request hands in its head and its body, and hears one response."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from secrets import token_hex

from gateway.config import GatewayConfig
from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.response import Response
from gateway.ingest.door import open_post
from gateway.ingest.post import Arrival, Post
from gateway.ingest.services import Services
from gateway.protocols.protocol import Answer, Head, Protocol
from gateway.routing import Match, Routes

Headers = list[tuple[bytes, bytes]]
Respond = Callable[[Response], None]

CLOSING = (400, 408, 413)  # what is left of such a body is not read
_printable = re.compile(rb"[\x21-\x7e]{1,64}").fullmatch


class Dispatch:
    """Answers every request for a protocol's path."""

    def __init__(
        self, config: GatewayConfig, services: Services, protocols: Sequence[Protocol]
    ) -> None:
        self.services = services
        self.routes = Routes(protocols)
        self._cors = _cors_headers(config.cors_origin)
        self._preflight = _preflight_headers(config.cors_origin)
        self._request_id = f"{token_hex(8)}%016x"  # ours: of this process, and counted
        self._numbers = count()

    def open(self, matches: Sequence[Match], head: Head, respond: Respond) -> Post | None:
        """Answer a request; a POST is returned whose body is wanted first."""
        if head.method == "OPTIONS":
            respond(Response(204, self._preflight, b""))
            return None
        given = head.headers.get(b"x-request-id")
        if given is not None and _printable(given):
            request_id = given.decode("ascii")
        else:
            request_id = self._request_id % next(self._numbers)
        match = next((one for one in matches if one.route.method == head.method), None)
        if match is None:
            protocol = matches[0].protocol
            text = f"the method is {head.method[:16]}, it must be {matches[0].route.method}"
            answer = protocol.refuse(head, Refused(RefusalCode.METHOD_NOT_ALLOWED, text))
            allowed = (b"allow", ", ".join(_methods(matches)).encode("ascii"))
            self._count(protocol.name, answer.status, 0.0)
            respond(self._response(answer, request_id, [allowed]))
            return None
        if match.route.answer is not None:
            answer = match.route.answer(head)
            self._count(match.protocol.name, answer.status, 0.0)
            respond(self._response(answer, request_id, []))
            return None
        return self._open_post(match.protocol, head, request_id, respond)

    def _open_post(
        self, protocol: Protocol, head: Head, request_id: str, respond: Respond
    ) -> Post | None:
        started_ms = self.services.now_ms()

        def answered(answer: Answer, wait: int | None) -> None:
            seconds = (self.services.now_ms() - started_ms) / 1000
            self._count(protocol.name, answer.status, seconds)
            more = [(b"retry-after", b"%d" % wait)] if wait is not None else []
            respond(self._response(answer, request_id, more))

        arrival = Arrival(protocol, head, request_id, started_ms)
        return open_post(self.services, arrival, answered)

    def _count(self, protocol: str, status: int, seconds: float) -> None:
        metrics = self.services.metrics
        metrics.requests.add(protocol, str(status))
        metrics.request_seconds.observe(seconds)

    def _response(self, answer: Answer, request_id: str, more: Headers) -> Response:
        headers = [
            (b"content-type", answer.content_type),
            (b"x-request-id", request_id.encode("ascii")),
            *self._cors,
            *more,
        ]
        return Response(answer.status, headers, answer.body, answer.status in CLOSING)


def _methods(matches: Sequence[Match]) -> list[str]:
    return sorted({one.route.method for one in matches} | {"OPTIONS"})


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
