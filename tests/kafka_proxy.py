"""A TCP proxy in front of Kafka's brokers that sees every offset commit and produce request.

The brokers' own addresses in their answers are replaced by the proxy's, so that clients stay here.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial

HOST = "127.0.0.1"
PRODUCE, OFFSET_COMMIT = 0, 8  # api keys
INTENT = b'"end":'


class KafkaProxy:
    """Forwards to `bootstrap`; calls `before_intent` with each chunk intent it has not yet
    forwarded, and `after_intent` when its answer has come and the client has not heard of it.

    `refuse` may answer a produce request in the broker's place, or change what the broker has
    answered; `before_answer` hears the broker's port before each of its answers, and may block.
    """

    def __init__(self, bootstrap: str) -> None:
        self.before_intent: Callable[[], None] = lambda: None
        self.after_intent: Callable[[], None] = lambda: None
        self.refuse: Callable[[bytes], Refusal | None] = lambda _: None
        self.before_answer: Callable[[int], None] = lambda _: None
        self._listeners = {
            int(one.rpartition(":")[2]): socket.create_server((HOST, 0))
            for one in bootstrap.split(",")
        }
        ports = {port: one.getsockname()[1] for port, one in self._listeners.items()}
        self.bootstrap = ",".join(f"{HOST}:{port}" for port in ports.values())
        self._addresses = [(_address(theirs), _address(ours)) for theirs, ours in ports.items()]
        self._sockets: list[socket.socket] = list(self._listeners.values())
        for port, listener in self._listeners.items():
            self._run(partial(self._accept, port, listener))

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

    def _accept(self, port: int, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            try:
                broker = socket.create_connection((HOST, port))
            except OSError:  # it is down
                client.close()
                continue
            self._sockets += [client, broker]
            pair = _Pair(port, client, broker)
            self._run(partial(self._forward, pair))
            self._run(partial(self._answer, pair))

    def _forward(self, pair: _Pair) -> None:
        try:
            while True:
                frame = _frame(pair.client)
                (api_key,) = struct.unpack_from(">h", frame)
                if api_key == OFFSET_COMMIT and INTENT in frame:
                    pair.intents.add(frame[4:8])
                    self.before_intent()
                refusal = self.refuse(frame) if api_key == PRODUCE else None
                if refusal is None or refusal.is_written:
                    if refusal is not None:
                        pair.refusals[frame[4:8]] = refusal.answer
                    _send(pair.broker, frame)
                else:
                    _send(pair.client, refusal.answer)
        finally:
            pair.broker.shutdown(socket.SHUT_RDWR)

    def _answer(self, pair: _Pair) -> None:
        try:
            while True:
                frame = _frame(pair.broker)
                self.before_answer(pair.port)
                if frame[:4] in pair.intents:
                    pair.intents.discard(frame[:4])
                    self.after_intent()
                frame = pair.refusals.pop(frame[:4], frame)
                for theirs, ours in self._addresses:
                    frame = frame.replace(theirs, ours)
                _send(pair.client, frame)
        finally:
            pair.client.shutdown(socket.SHUT_RDWR)


class Refusal:
    """What a produce request is answered with; `is_written`: the broker has got it all the same."""

    def __init__(self, answer: bytes, *, is_written: bool) -> None:
        self.answer = answer
        self.is_written = is_written


class _Pair:
    """A client's connection and ours to its broker."""

    def __init__(self, port: int, client: socket.socket, broker: socket.socket) -> None:
        self.port = port
        self.client = client
        self.broker = broker
        self.intents: set[bytes] = set()  # correlation ids of intents in flight
        self.refusals: dict[bytes, bytes] = {}  # by correlation id: answers to exchange


def _address(port: int) -> bytes:
    return HOST.encode() + struct.pack(">i", port)


def _send(connection: socket.socket, frame: bytes) -> None:
    connection.sendall(struct.pack(">i", len(frame)) + frame)


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
