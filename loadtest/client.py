"""A phone's HTTP: one keep-alive connection on asyncio streams, each exchange with a deadline.

Its own, because a load generator must not spend more on HTTP than the gateway does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

TIMEOUT_SECONDS = 20.0
MAX_REPLY_BYTES = 4 * 1024 * 1024
CHUNKED = "Transfer-Encoding: chunked"  # a body that says its own end


class Reply(Struct, frozen=True):
    """An answer; the names in `headers` are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class NoReply(Exception):
    """The connection broke, or no reply came in time: nobody knows what was kept."""


class BadUrl(Exception):
    """This is not the address of a gateway."""


class PhoneClient:
    """Asks one gateway; connects again after every failure. Raises BadUrl."""

    def __init__(self, url: str, write_key: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise BadUrl(f"{url!r} is no URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadUrl(f"{url!r} is no URL of a gateway; one is http://127.0.0.1:8080")
        self._host, self._is_tls = parts.hostname, parts.scheme == "https"
        self._port = port or (443 if self._is_tls else 80)
        self._headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "Authorization": f"Bearer {write_key}",
            "Content-Type": "application/json",
        }
        self._head = _lines(self._headers)
        self.connections = 0  # made so far
        self._base = parts.path.rstrip("/")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Reply:
        """Raises NoReply."""
        return await self._ask("GET", path, b"", self._head)

    async def post(self, path: str, body: bytes) -> Reply:
        """Raises NoReply."""
        return await self._ask("POST", path, body, self._head)

    async def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """With `headers` beside the usual ones or in their place; an empty one is left out.
        Raises NoReply."""
        return await self._ask(method, path, body, _lines({**self._headers, **headers}))

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, method: str, path: str, body: bytes, headers: str) -> Reply:
        length = "" if CHUNKED in headers else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {self._base}{path} HTTP/1.1\r\n{headers}{length}\r\n"
        request = head.encode() + body
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._exchange(request)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            await self.close()
            raise NoReply(type(error).__name__) from None
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _exchange(self, request: bytes) -> Reply:
        """One request and its reply. Raises ValueError on what is no HTTP."""
        reader, writer = await self._connected()
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }
        length = int(headers.get("content-length", "-1"))
        if not 0 <= length <= MAX_REPLY_BYTES:
            raise ValueError(f"a reply of {length} bytes")
        body = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return Reply(int(status_line[9:12]), headers, body)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The open connection; a new one when the server has closed it meanwhile."""
        if self._streams is not None and self._streams[0].at_eof():
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, ssl=True if self._is_tls else None
            )
            self.connections += 1
        return self._streams


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
