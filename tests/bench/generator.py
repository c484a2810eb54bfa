"""A closed loop of keep-alive connections, one POST on its way in each, bodies made beforehand."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from uuid import uuid4

from tests.builders import make_batch, make_event
from tests.processes import KEY

CONNECTIONS = 64


def request_of(device: int, events: int) -> bytes:
    """A whole POST of one device."""
    batch = make_batch(
        *[make_event(event_id=str(uuid4()), sequence=one) for one in range(1, events + 1)],
    )
    batch["context"]["device"]["id"] = f"device-{device}"
    body = json.dumps(batch).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Sends its POST again and again until there are no more to send."""

    def __init__(self, load: Load, request: bytes) -> None:
        self._load = load
        self._request = request
        self._buffer = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's
        self._next()

    def _next(self) -> None:
        if self._load.take():
            self._transport.write(self._request)
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._load.answered(head[9:12], rest[:length])
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.ended()


class Load:
    """So many POSTs over CONNECTIONS connections."""

    def __init__(self, posts: int) -> None:
        self._left = posts
        self._open = CONNECTIONS
        self._done = asyncio.Event()
        self.kept = 0  # POSTs answered 200 with "stored":"kafka"
        self.other: list[bytes] = []  # what else was said

    def take(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def answered(self, status: bytes, body: bytes) -> None:
        if status == b"200" and b'"stored":"kafka"' in body:
            self.kept += 1
        else:
            self.other.append(status + b" " + body[:200])

    def ended(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._done.set()

    async def run(self, port: int, requests: list[bytes]) -> None:
        """Until every POST has its answer."""
        loop = asyncio.get_running_loop()
        for request in requests:
            await loop.create_connection(partial(_Connection, self, request), "127.0.0.1", port)
        await self._done.wait()
