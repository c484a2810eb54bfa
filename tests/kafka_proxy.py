"""A TCP proxy in front of a Kafka broker that sees every offset commit.

The broker's own address in its answers is replaced by the proxy's, so that clients stay here.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial

HOST = "127.0.0.1"
OFFSET_COMMIT = 8  # api key
INTENT = b'"end":'


class KafkaProxy:
    """Forwards to `bootstrap`; calls `before_intent` with each chunk intent it has not yet
    forwarded, and `after_intent` when its answer has come and the client has not heard of it."""

    def __init__(self, bootstrap: str) -> None:
        self._target = int(bootstrap.rpartition(":")[2])
        self.before_intent: Callable[[], None] = lambda: None
        self.after_intent: Callable[[], None] = lambda: None
        self._listener = socket.create_server((HOST, 0))
        self._port = self._listener.getsockname()[1]
        self.bootstrap = f"{HOST}:{self._port}"
        self._sockets: list[socket.socket] = [self._listener]
        self._run(self._accept)

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _run(self, work: Callable[[], None]) -> None:
        def quietly() -> None:
            with contextlib.suppress(OSError, EOFError):  # one of the two is gone
                work()

        threading.Thread(target=quietly, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            broker = socket.create_connection((HOST, self._target))
            self._sockets += [client, broker]
            intents: set[bytes] = set()  # correlation ids of intents in flight
            self._run(partial(self._forward, client, broker, intents))
            self._run(partial(self._answer, client, broker, intents))

    def _forward(self, client: socket.socket, broker: socket.socket, intents: set[bytes]) -> None:
        try:
            while True:
                frame = _frame(client)
                (api_key,) = struct.unpack_from(">h", frame)
                if api_key == OFFSET_COMMIT and INTENT in frame:
                    intents.add(frame[4:8])
                    self.before_intent()
                broker.sendall(struct.pack(">i", len(frame)) + frame)
        finally:
            broker.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, broker: socket.socket, intents: set[bytes]) -> None:
        ours, theirs = (HOST.encode() + struct.pack(">i", p) for p in (self._port, self._target))
        try:
            while True:
                frame = _frame(broker)
                if frame[:4] in intents:
                    intents.discard(frame[:4])
                    self.after_intent()
                frame = frame.replace(theirs, ours)
                client.sendall(struct.pack(">i", len(frame)) + frame)
        finally:
            client.shutdown(socket.SHUT_RDWR)


def _frame(connection: socket.socket) -> bytes:
    """One length-prefixed frame without its length."""
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
