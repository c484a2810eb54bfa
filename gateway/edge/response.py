"""What goes back over HTTP, and its bytes on an HTTP/1.1 connection."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

from gateway.protocols.protocol import Answer

CLOSING = (0, 400, 408, 413)  # what is left of such a request's body is not read

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


class Responses:
    """Protocols' answers with the headers that every answer has."""

    def __init__(self, cors_origin: str) -> None:
        """`cors_origin`: who may read answers in a browser; empty: no page of another origin."""
        self._cors = _cors_head(cors_origin)
        self.preflight = Response(204, _preflight_head(self._cors), b"")

    def of(self, answer: Answer, request_id: str, wait: int | None, allow: str = "") -> Response:
        """`wait`: the seconds of its Retry-After, if it has one."""
        head = b"content-type: %b\r\nx-request-id: %b\r\n%b" % (
            answer.content_type,
            request_id.encode("ascii"),
            self._cors,
        )
        if wait is not None:
            head += b"retry-after: %d\r\n" % wait
        if allow:
            head += b"allow: %b\r\n" % allow.encode("ascii")
        for name, value in answer.headers:
            head += b"%b: %b\r\n" % (name, value)
        return Response(answer.status, head, answer.body, answer.status in CLOSING)


def _cors_head(origin: str) -> bytes:
    if not origin:
        return b""
    return (
        b"access-control-allow-origin: %b\r\n"
        b"access-control-expose-headers: X-Request-Id, Retry-After\r\n"
    ) % origin.encode("latin-1")


def _preflight_head(cors: bytes) -> bytes:
    if not cors:
        return b""
    return cors + (
        b"access-control-allow-methods: POST, GET, OPTIONS\r\n"
        b"access-control-allow-headers: Authorization, Content-Type, Content-Encoding, X-Write-Key,"
        b" X-Request-Id, X-Attempt, X-Device-Id, *\r\n"
        b"access-control-max-age: 86400\r\n"
    )
