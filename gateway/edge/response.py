"""What goes back over HTTP, and its bytes on an HTTP/1.1 connection."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from msgspec import Struct

_LINES = {int(one): f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode("ascii") for one in HTTPStatus}


class Response(Struct, frozen=True, gc=False):
    """An answer. Its length and its connection are the business of whoever carries it."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    closes: bool = False  # what is left of the request's body is not read

    def to_bytes(self, *, closes: bool) -> bytes:
        """The whole answer; `closes`: it is the last one on its connection."""
        parts = [_LINES[self.status]]
        for name, value in self.headers:
            parts += (name, b": ", value, b"\r\n")
        if closes:
            parts.append(b"connection: close\r\n")
        parts.append(b"content-length: %d\r\n\r\n" % len(self.body))
        parts.append(self.body)
        return b"".join(parts)
