"""What goes back over HTTP, and its bytes on an HTTP/1.1 connection."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

_LINES = {int(one): f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode("ascii") for one in HTTPStatus}


class Response(Struct, frozen=True, gc=False):
    """An answer. Its length and its connection are the business of whoever carries it."""

    status: int  # 0: none, the connection is closed without an answer
    head: bytes  # its headers as they go over the wire, each with its line's end
    body: bytes
    closes: bool = False  # what is left of the request's body is not read

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        lines = (line.partition(b": ") for line in self.head.splitlines())
        return [(name, value) for name, _, value in lines]

    def to_bytes(self, *, closes: bool) -> bytes:
        """The whole answer; `closes`: it is the last one on its connection."""
        return b"%b%b%bcontent-length: %d\r\n\r\n%b" % (
            _LINES[self.status],
            self.head,
            b"connection: close\r\n" if closes else b"",
            len(self.body),
            self.body,
        )
