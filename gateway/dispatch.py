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

Respond = Callable[[Response], None]

CLOSING = (0, 400, 408, 413)  # what is left of such a body is not read
_printable = re.compile(rb"[\x21-\x7e]{1,64}").fullmatch


class Dispatch:
    """Answers every request for a protocol's path."""

    def __init__(
        self, config: GatewayConfig, services: Services, protocols: Sequence[Protocol]
    ) -> None:
        self.services = services
        self.routes = Routes(protocols)
        self._cors = _cors_head(config.cors_origin)
        self._preflight = _preflight_head(config.cors_origin)
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
            allowed = f"allow: {', '.join(_methods(matches))}\r\n".encode("ascii")
            self._count(protocol.name, answer.status, 0.0)
            respond(self._response(answer, request_id, allowed))
            return None
        if match.route.answer is not None:
            answer = match.route.answer(head)
            self._count(match.protocol.name, answer.status, 0.0)
            respond(self._response(answer, request_id, b""))
            return None
        return self._open_post(match, head, request_id, respond)

    def _open_post(
        self, match: Match, head: Head, request_id: str, respond: Respond
    ) -> Post | None:
        protocol = match.protocol
        started_ms = self.services.now_ms()
        owner = owner_of = match.route.owner
        if owner_of is not None:

            def named(head: Head, body: bytes) -> Protocol:
                nonlocal protocol
                protocol = owner_of(head, body)  # the answer is counted as theirs
                return protocol

            owner = named

        def answered(answer: Answer, wait: int | None) -> None:
            seconds = (self.services.now_ms() - started_ms) / 1000
            self._count(protocol.name, answer.status, seconds)
            more = b"retry-after: %d\r\n" % wait if wait is not None and answer.tells_wait else b""
            respond(self._response(answer, request_id, more))

        arrival = Arrival(protocol, head, request_id, started_ms, owner)
        return open_post(self.services, arrival, answered)

    def _count(self, protocol: str, status: int, seconds: float) -> None:
        metrics = self.services.metrics
        metrics.requests.add(protocol, str(status))
        metrics.request_seconds.observe(seconds)

    def _response(self, answer: Answer, request_id: str, more: bytes) -> Response:
        head = b"content-type: %b\r\nx-request-id: %b\r\n%b%b" % (
            answer.content_type,
            request_id.encode("ascii"),
            self._cors,
            more,
        )
        for name, value in answer.headers:
            head += b"%b: %b\r\n" % (name, value)
        return Response(answer.status, head, answer.body, answer.status in CLOSING)


def _methods(matches: Sequence[Match]) -> list[str]:
    return sorted({one.route.method for one in matches} | {"OPTIONS"})


def _cors_head(origin: str) -> bytes:
    if not origin:
        return b""
    return (
        b"access-control-allow-origin: %b\r\n"
        b"access-control-expose-headers: X-Request-Id, Retry-After\r\n"
    ) % origin.encode("latin-1")


def _preflight_head(origin: str) -> bytes:
    if not origin:
        return b""
    return _cors_head(origin) + (
        b"access-control-allow-methods: POST, GET, OPTIONS\r\n"
        b"access-control-allow-headers: Authorization, Content-Type, Content-Encoding, X-Write-Key,"
        b" X-Request-Id, X-Attempt, X-Device-Id, *\r\n"
        b"access-control-max-age: 86400\r\n"
    )
