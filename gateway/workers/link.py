"""A worker's way to the spool: a socket to the keeper, and the board to look at."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from gateway.publish.spool.port import Done, Fate, SpoolAnswer
from gateway.workers.run_folder import RunFolder
from gateway.workers.wire import (
    STATUS,
    Frames,
    Handed,
    WireError,
    entry_frame,
    read_answer,
)

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.1
CONNECT_SECONDS = 5.0
UNREACHABLE = "the spool's keeper cannot be reached"


class SpoolLink:
    """The spool's port, kept in another process. `run` is its life."""

    def __init__(self, run: RunFolder) -> None:
        self._path = run.keeper_socket
        self._board = run.board()
        self._connection: _Connection | None = None
        self.connected = asyncio.Event()

    def holds(self, lane: int) -> bool:
        return self._board[lane] != 0

    def append(self, lane: int, entry: bytes, is_trip: bool, done: Done) -> None:
        if self._connection is None:
            done(SpoolAnswer(Fate.FAILED, UNREACHABLE))
        else:
            self._connection.append(lane, entry, is_trip, done)

    def unready_reason(self) -> str | None:
        return UNREACHABLE if self._connection is None else self._connection.unready

    async def run(self) -> None:
        """Stay connected until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    _, connection = await loop.create_unix_connection(_Connection, str(self._path))
            except (OSError, TimeoutError):
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self._connection = connection
            self.connected.set()
            try:
                reason = await connection.lost
            finally:
                self._connection = None
                self.connected.clear()
                connection.close()
            log.warning("%s: %s", UNREACHABLE, reason)


class _Connection(asyncio.Protocol):
    """One connection; what is open on it when it is lost is not known to be stored."""

    def __init__(self) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.unready: str | None = None
        self._frames = Frames()
        self._open: dict[int, Done] = {}
        self._number = STATUS
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # a stream's

    def append(self, lane: int, entry: bytes, is_trip: bool, done: Done) -> None:
        if self._transport is None or self.lost.done():
            done(SpoolAnswer(Fate.FAILED, UNREACHABLE))
            return
        self._number += 1
        self._open[self._number] = done
        self._transport.writelines(entry_frame(Handed(self._number, lane, is_trip, entry)))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._read(*read_answer(frame))
        except WireError as error:
            self._lose(str(error))

    def _read(self, number: int, answer: SpoolAnswer) -> None:
        if number == STATUS:
            self.unready = answer.reason or None
            return
        done = self._open.pop(number, None)
        if done is None:
            raise WireError("an answer to nothing")
        done(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(str(error or "the connection ended"))

    def close(self) -> None:
        self._lose("closed")

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._transport is not None:
            self._transport.abort()
        opened, self._open = self._open, {}
        for done in opened.values():
            done(SpoolAnswer(Fate.FAILED, UNREACHABLE))
