"""HTTP over raw sockets: requests no client library would send, and what comes back."""

from __future__ import annotations

import contextlib
import socket

from tests.processes import KEY

GOOD_HEAD = f"POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"
AMBIGUOUS_HEADS = (  # of a POST: where its body ends is a matter of opinion
    "Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Host: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
    "Host: h\r\nContent-Length: 5, 5\r\n",
    "Host: h\r\nContent-Length: +5\r\n",
    "Host: h\r\nContent-Length: 0x5\r\n",
    "Host: h\r\nContent-Length: -5\r\n",
    "Host: h\r\nTransfer-Encoding: xchunked\r\n",
    "Host: h\r\nTransfer-Encoding: chunked, identity\r\n",
    "Host: h\r\nTransfer-Encoding : chunked\r\n",
    "Host: h\r\nX: a\r\n b\r\n",
    "Host: h\r\nX: a\0b\r\n",
    "Host: h\nX: a\r\n",
    "Host: h\r\nHost: i\r\n",
    "X: no host\r\n",
)
BAD_CHUNKS = (b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b"5 \r\nhello\r\n")


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def read_all(client: socket.socket) -> bytes:
    """What comes until the other side closes; a reset is a close too."""
    found = b""
    try:
        while chunk := client.recv(65536):
            found += chunk
    except ConnectionError:
        pass
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def ask(port: int, request: bytes) -> bytes:
    """The answers to these bytes, until the server closes."""
    with connect(port) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(request)
        return read_all(client)


def sent_behind_an_answer(port: int, megabytes: int) -> int:
    """Bytes that a server takes of a body it has no use for, of so many that are offered."""
    head = GOOD_HEAD + "Content-Type: application/json\r\nContent-Length: 500000000\r\n\r\n"
    sent = 0
    with connect(port) as client:
        client.sendall(head.encode())
        try:
            while sent < megabytes * 1_000_000:
                sent += client.send(b"x" * 65536)
        except (ConnectionError, TimeoutError):
            pass
    return sent
