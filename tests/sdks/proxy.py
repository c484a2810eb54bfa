"""A proxy between an SDK and the gateway: it notes each POST of events and does as its steps say.

Each run of an SDK has a port of its own, so that many can run at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tests.http_serving import HOP_BY_HOP, Serving, answer
from tests.sdks.orders import orders_in

TIMEOUT_SECONDS = 60.0
CUT = 0  # no answer: the connection ended


class Reply(Struct, frozen=True):
    """An answer; status CUT is none."""

    status: int
    headers: list[tuple[str, str]] = msgspec.field(default_factory=list)
    body: bytes = b""


class Request(Struct, frozen=True):
    """What the SDK sent, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Step = Callable[[Request], Reply]  # what happens to one POST


class Seen(Struct, frozen=True):
    """A POST of orders, and what the SDK was answered."""

    at: float  # monotonic seconds: it was there
    answered_at: float
    orders: frozenset[str]
    status: int
    retry_after: int  # seconds; 0: none was asked


def forward(target: str) -> Step:
    """To a gateway, and back what it answers."""
    parts = urlsplit(target)

    def step(request: Request) -> Reply:
        connection = HTTPConnection(parts.hostname or "", parts.port or 0, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(request.method, request.target, request.body, request.headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        except (OSError, EOFError, ValueError):  # the gateway closed: so does this
            return Reply(CUT)
        except Exception as error:  # noqa: BLE001  # http.client's own: not a status line
            return Reply(CUT, body=str(error).encode())
        finally:
            connection.close()

    return step


def cut_after(target: str) -> Step:
    """The gateway takes it and answers; the SDK never hears of it."""
    passed = forward(target)

    def step(request: Request) -> Reply:
        passed(request)
        return Reply(CUT)

    return step


def answering(status: int, **headers: str) -> Step:
    """What a load balancer says in the gateway's place."""
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda request: Reply(status, given)


class Lane:
    """The proxy's port for one run: `steps` are for its first POSTs of orders, then all pass."""

    def __init__(self, target: str, steps: Sequence[Step] = ()) -> None:
        self._pass = forward(target)
        self._steps = list(steps)
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self.last_at = time.monotonic()  # anything was asked or answered
        self._serving = Serving(self.handle)
        self.url = self._serving.url

    def close(self) -> None:
        self._serving.close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name: one for name, one in handler.headers.items() if name.lower() != "host"}
        body = _body(handler)
        headers = {name: one for name, one in headers.items() if name.lower() not in HOP_BY_HOP}
        request = Request(handler.command, handler.path, headers, body)
        encoding = handler.headers.get("content-encoding", "")
        orders = orders_in(request.target, request.body, encoding)
        at = self.last_at = time.monotonic()
        with self._lock:
            step = self._steps.pop(0) if orders and self._steps else self._pass
        reply = step(request)
        asked = {name.lower(): one for name, one in reply.headers}.get("retry-after", "0")
        if orders:
            now = time.monotonic()
            with self._lock:
                self.seen.append(Seen(at, now, orders, reply.status, int(asked)))
        if reply.status == CUT:
            handler.close_connection = True
        else:
            answer(handler, reply.status, reply.headers, reply.body)
        self.last_at = time.monotonic()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("transfer-encoding", "").lower():
        return handler.rfile.read(int(handler.headers.get("content-length", "0")))
    body = b""
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return body
