"""Requests as a small HTTP/1.1 server reads them from asyncio streams, and its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct

MAX_BODY_BYTES = 64 * 1024 * 1024


class Request(Struct, frozen=True):
    """A request, whole; the names in `headers` are in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request of a connection; None when there is none, or none that is HTTP."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.rstrip("\r\n").split("\r\n")
        method, target, _ = line.split(" ")
        parts = (one.partition(":") for one in rest)
        headers = {name.strip().lower(): value.strip() for name, _, value in parts}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = await _chunked(reader)
        else:
            body = await reader.readexactly(_bounded(int(headers.get("content-length", "0"))))
        return Request(method, target.partition("?")[0], headers, body)
    except (EOFError, OSError, ValueError, asyncio.LimitOverrunError):
        return None


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(_bounded(size + len(body)) - len(body))
        await reader.readuntil(b"\r\n")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


def _bounded(size: int) -> int:
    if not 0 <= size <= MAX_BODY_BYTES:
        raise ValueError(f"a body of {size} bytes")
    return size


def answer(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode("latin-1") + body
