"""Requests for the paths that protocols own: found by path, answered through the port of their
protocol. Whoever carries a request hands in its head and its body, and hears one response."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from secrets import token_hex

from gateway.contract.refusal import RefusalCode, Refused
from gateway.ingest.post import Post, Respond
from gateway.ingest.services import Services
from gateway.protocols.protocol import Head, Protocol
from gateway.routing import Match, Routes

_printable = re.compile(rb"[\x21-\x7e]{1,64}").fullmatch


class Dispatch:
    """Answers every request for a protocol's path."""

    def __init__(self, services: Services, protocols: Sequence[Protocol]) -> None:
        self.services = services
        self.routes = Routes(protocols)
        self._request_id = f"{token_hex(8)}%016x"  # ours: of this process, and counted
        self._numbers = count()

    def open(self, matches: Sequence[Match], head: Head, respond: Respond) -> Post | None:
        """Answer a request; a POST is returned whose body is wanted first."""
        request_id = self._id_of(head)
        for match in matches:
            if match.route.method == head.method:
                break
        else:
            self._answer_other(matches, head, request_id, respond)
            return None
        if match.route.answer is None:
            post = Post(self.services, match.protocol, match.route, head, request_id, respond)
            return post if post.enter() else None
        answer = match.route.answer(head)
        self.services.metrics.answered(match.protocol.name, answer.status, 0.0)
        respond(self.services.responses.of(answer, request_id, None))
        return None

    def _id_of(self, head: Head) -> str:
        """The client's id of its request, where it can be shown; else ours."""
        given = head.headers.get(b"x-request-id")
        if given is not None and _printable(given):
            return given.decode("ascii")
        return self._request_id % next(self._numbers)

    def _answer_other(
        self, matches: Sequence[Match], head: Head, request_id: str, respond: Respond
    ) -> None:
        """A method that this path does not have."""
        responses = self.services.responses
        if head.method == "OPTIONS":
            respond(responses.preflight)
            return
        protocol = matches[0].protocol
        text = f"the method is {head.method[:16]}, it must be {matches[0].route.method}"
        answer = protocol.refuse(head, Refused(RefusalCode.METHOD_NOT_ALLOWED, text))
        self.services.metrics.answered(protocol.name, answer.status, 0.0)
        allow = ", ".join(sorted({one.route.method for one in matches} | {"OPTIONS"}))
        respond(responses.of(answer, request_id, None, allow))
