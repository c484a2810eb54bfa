"""A gateway that keeps what it gets in memory and can be told to fail: for its clients' tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from enum import Enum
from types import TracebackType
from typing import Any

REQUIRED = ("event_id", "type", "timestamp")


class Fault(Enum):
    """What goes wrong with one POST."""

    BUSY = b"503"  # nothing kept
    REFUSED = b"401"
    LOST_REPLY = b""  # everything kept, and the connection closed without a word
    NOT_HTTP = b"nonsense\r\n\r\n"
    NOT_JSON = b"200"
    WRONG_SUM = b"200 "  # a reply that tells of more events than were sent
    ENDLESS = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"


class FakeGateway:
    """Speaks the native protocol, and Segment's as far as to say yes. `faults` are used up in
    their order, one for each POST."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []  # of every POST, whatever came of it
        self.arrivals: list[float] = []  # of those bodies, monotonic seconds
        self.kept: list[str] = []  # event ids in their order
        self.faults: deque[Fault] = deque()
        self.is_ready = True
        self.closes_after_each = False
        self.retry_after = 0  # seconds that a 503 asks for
        self.crowd = 0  # answers nobody before so many POSTs are here
        self.connections = 0
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_crowded = asyncio.Event()

    async def __aenter__(self) -> FakeGateway:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self._is_crowded.set()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [one.partition(":") for one in head.lower().splitlines()[1:]]
                length = int({one[0]: one[2] for one in lines}.get("content-length", "0"))
                answer = self._answer(head, await reader.readexactly(length))
                if len(self.bodies) >= self.crowd:
                    self._is_crowded.set()
                await self._is_crowded.wait()
                writer.write(answer)
                await writer.drain()
                if self.closes_after_each or (self.bodies and self.bodies[-1].get("is_cut")):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, head: str, body: bytes) -> bytes:
        method, path, _ = head.split(" ", 2)
        if method == "GET":
            away = b'{"ready":false,"reasons":[{"code":"kafka","text":"away"}]}'
            return _http(200, b'{"ready":true}') if self.is_ready else _http(503, away)
        batch = json.loads(body)
        self.bodies.append(batch)
        self.arrivals.append(time.monotonic())
        if path != "/v1/events":
            batch["events"] = [{**one, "event_id": one["messageId"]} for one in batch["batch"]]
        fault = self.faults.popleft() if self.faults else None
        if fault in (Fault.BUSY, Fault.REFUSED):
            told = b'{"error":{"code":"told_to","message":"fail"}}'
            return _http(int(fault.value), told, self.retry_after)
        if fault in (Fault.NOT_HTTP, Fault.ENDLESS):
            batch["is_cut"] = True
            return bytes(fault.value)
        reply = self._keep(batch["events"])
        if fault is Fault.LOST_REPLY:
            batch["is_cut"] = True
            return b""
        if fault is Fault.WRONG_SUM:
            reply["accepted"] += 1
        return _http(200, b"ok" if fault is Fault.NOT_JSON else json.dumps(reply).encode())

    def _keep(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        rejected = [
            {"index": index, "event_id": one.get("event_id", ""), "code": "missing_field"}
            for index, one in enumerate(events)
            if "messageId" not in one and any(name not in one for name in REQUIRED)
        ]
        bad = {one["index"] for one in rejected}
        good = [one["event_id"] for index, one in enumerate(events) if index not in bad]
        first = list(dict.fromkeys(good))
        self.kept += first
        return {
            "accepted": len(first),
            "duplicates": len(good) - len(first),
            "rejected": rejected,
            "stored": "kafka",
            "server_time": "2026-11-24T05:20:00.000Z",
        }


def _http(status: int, body: bytes, retry_after: int = 0) -> bytes:
    retry = f"retry-after: {retry_after}\r\n" if status == 503 else ""
    head = f"HTTP/1.1 {status} Told\r\n{retry}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body
