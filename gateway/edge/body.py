"""A request's body off the wire: bounded in bytes and in time, and inflated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.inflate import inflate, too_large
from gateway.protocols.protocol import Head

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Disconnected(Exception):
    """The client left before its body was complete; nobody waits for an answer."""


def declared_bytes(head: Head) -> int:
    """Content-Length, or 0 where the body comes in chunks."""
    text = head.header(b"content-length")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def read(head: Head, receive: Receive, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body, plain. `max_bytes` bounds it as sent and as inflated.

    Raises Refused, Disconnected.
    """
    if declared_bytes(head) > max_bytes:
        raise too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            body = await _collect(receive, max_bytes)
    except TimeoutError:
        text = f"the body did not arrive within {timeout_seconds:g} seconds"
        raise Refused(RefusalCode.BODY_TIMEOUT, text) from None
    return inflate(body, head.header(b"content-encoding"), max_bytes)


async def _collect(receive: Receive, max_bytes: int) -> bytes:
    chunks = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Disconnected
        chunk = event.get("body", b"")
        if len(chunks) + len(chunk) > max_bytes:
            raise too_large(max_bytes)
        if not event.get("more_body"):
            return bytes(chunks + chunk) if chunks else bytes(chunk)
        chunks += chunk
