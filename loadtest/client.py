"""A phone's HTTP: one keep-alive connection on asyncio streams, each step with a deadline.

Its own, because a load generator must not spend more on HTTP than the gateway does.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from msgspec import Struct

TIMEOUT_SECONDS = 20.0


class Reply(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class NoReply(Exception):
    """The connection broke, or the reply did not come in time: nobody knows what was kept."""


class PhoneClient:
    """POSTs to one gateway; connects again after every failure."""

    def __init__(self, url: str, write_key: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._key = write_key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Reply:
        """One POST. Raises NoReply."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._exchange(head.encode() + body)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            await self.close()
            raise NoReply(f"{type(error).__name__}: {error}") from None

    async def _exchange(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            await self.close()
        return Reply(int(status_line.split(" ")[1]), headers, body)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
