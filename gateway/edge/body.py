"""A request's body as it comes: bounded in bytes and in time."""

from __future__ import annotations

from msgspec import Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.inflate import too_large
from gateway.protocols.protocol import Head


class BodyLimits(Struct, frozen=True, kw_only=True):
    max_bytes: int  # as sent, and as inflated
    timeout_seconds: float  # to arrive, and a second more for each `bytes_per_second` of it
    bytes_per_second: int

    def declared_bytes(self, head: Head) -> int:
        """Content-Length, or 0 where the body comes in chunks. Raises Refused."""
        text = head.headers.get(b"content-length", b"0")
        declared = int(text) if text.isdigit() and len(text) < 19 else 0
        if declared > self.max_bytes:
            raise too_large(self.max_bytes)
        return declared

    def too_slow(self) -> Refused:
        text = (
            f"the body did not arrive within {self.timeout_seconds:g} seconds"
            f" and at {self.bytes_per_second} bytes a second"
        )
        return Refused(RefusalCode.BODY_TIMEOUT, text)


class Body:
    """What has come of one body."""

    __slots__ = ("_limits", "_parts", "size")

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._parts: list[bytes] = []
        self.size = 0  # bytes that were added

    @property
    def seconds(self) -> float:
        """How long it may take from the head to its end, by what has come."""
        return self._limits.timeout_seconds + self.size / self._limits.bytes_per_second

    def grow(self, size: int) -> int:
        """So many bytes more are here; how many that makes. Raises Refused."""
        size += self.size
        if size > self._limits.max_bytes:
            raise too_large(self._limits.max_bytes)
        return size

    def add(self, chunk: bytes) -> None:
        self._parts.append(chunk)
        self.size += len(chunk)

    def take(self) -> bytes:
        """All of it; nobody else holds it any more."""
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)
