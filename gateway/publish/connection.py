"""One connection for produce requests: a request goes out, its answer comes back, or it is lost.

At most one request is open at a time, so the answer that comes is the answer to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.publish.produce import Answer, Unreadable, read_answer

MAX_ANSWER_BYTES = 1024 * 1024  # an answer has a few bytes per partition


class RefusedByKafka(ConnectionError):
    """A broker is there and will not have us. The text names the option to mend."""


class ProduceConnection(asyncio.Protocol):
    """Calls `on_answer` for each answer, and `on_lost` once when nothing will come any more."""

    def __init__(self, on_answer: Callable[[Answer], None], on_lost: Callable[[str], None]) -> None:
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._transport: asyncio.WriteTransport | None = None
        self._dialled: object = None
        self._buffer = bytearray()
        self.is_lost = False

    def take_over(self, transport: asyncio.Transport, dialled: object) -> None:
        """Speak over a transport that somebody else has dialled. `dialled` is kept as long: it
        would close the transport when it is forgotten."""
        self._dialled = dialled
        self._transport = transport
        transport.set_protocol(self)
        transport.resume_reading()

    def write(self, chunks: Sequence[bytes]) -> None:
        if self._transport is not None:
            self._transport.writelines(chunks)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 4 and not self.is_lost:
            size = int.from_bytes(self._buffer[:4])
            if size > MAX_ANSWER_BYTES:
                self.lose(f"an answer of {size} bytes")
                return
            if len(self._buffer) < 4 + size:
                return
            frame = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            try:
                answer = read_answer(frame)
            except Unreadable as error:
                self.lose(str(error))
                return
            self._on_answer(answer)

    def eof_received(self) -> None:
        self.lose("the broker closed the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self.lose(str(error or "the connection ended"))

    def lose(self, reason: str) -> None:
        """Give the connection up: what is open on it has an unknown outcome."""
        if not self.is_lost:
            self.is_lost = True
            if self._transport is not None:
                self._transport.abort()
            self._on_lost(reason)
