"""A request's body off the wire: bounded in bytes and in time, and inflated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from msgspec import Struct

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


class BodyLimits(Struct, frozen=True, kw_only=True):
    max_bytes: int  # as sent, and as inflated
    timeout_seconds: float  # to arrive, and a second more for each `bytes_per_second` of it
    bytes_per_second: int


async def read(
    head: Head, receive: Receive, limits: BodyLimits, arrived: Callable[[int], None]
) -> bytes:
    """The whole body, plain. `arrived` is told how many bytes have come before they are kept, and
    may refuse them. Raises Refused, Disconnected."""
    if declared_bytes(head) > limits.max_bytes:
        raise too_large(limits.max_bytes)
    try:
        async with asyncio.timeout(limits.timeout_seconds) as timeout:
            body = await _collect(receive, limits, timeout, arrived)
    except TimeoutError:
        text = (
            f"the body did not arrive within {limits.timeout_seconds:g} seconds"
            f" and at {limits.bytes_per_second} bytes a second"
        )
        raise Refused(RefusalCode.BODY_TIMEOUT, text) from None
    return inflate(body, head.header(b"content-encoding"), limits.max_bytes)


async def _collect(
    receive: Receive,
    limits: BodyLimits,
    timeout: asyncio.Timeout,
    arrived: Callable[[int], None],
) -> bytes:
    chunks = bytearray()
    latest = timeout.when() or 0.0
    while True:
        if chunks:
            timeout.reschedule(latest + len(chunks) / limits.bytes_per_second)
        event = await receive()
        if event["type"] != "http.request":
            raise Disconnected
        chunk = event.get("body", b"")
        if len(chunks) + len(chunk) > limits.max_bytes:
            raise too_large(limits.max_bytes)
        arrived(len(chunks) + len(chunk))
        if not event.get("more_body"):
            return bytes(chunks + chunk) if chunks else bytes(chunk)
        chunks += chunk
