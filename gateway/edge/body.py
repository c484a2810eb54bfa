"""The bounds of a request's body, in bytes and in time."""

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
        self.check(declared)
        return declared

    def check(self, size: int) -> None:
        """Raises Refused."""
        if size > self.max_bytes:
            raise too_large(self.max_bytes)

    def seconds(self, size: int) -> float:
        """How long a body may take from the head to its end, when so much of it has come."""
        return self.timeout_seconds + size / self.bytes_per_second

    def too_slow(self) -> Refused:
        text = (
            f"the body did not arrive within {self.timeout_seconds:g} seconds"
            f" and at {self.bytes_per_second} bytes a second"
        )
        return Refused(RefusalCode.BODY_TIMEOUT, text)
