"""A POST whose body is sent, or not, by hand: for what happens while a request is under way."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from tests.gateway_app import KEY, GatewayUnderTest


class Phone:
    """A POST whose body is sent, or not, by hand."""

    def __init__(self, gateway: GatewayUnderTest, path: str = "/v1/events", **headers: str) -> None:
        self._path = path
        self._app = gateway.http.app
        given = {"authorization": f"Bearer {KEY}", **headers}
        self._headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()]
        self._events: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._sent: list[MutableMapping[str, Any]] = []
        self.taken = 0
        self.asked = asyncio.Event()  # the gateway wants more of the body than was sent
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        scope = {
            "type": "http", "method": "POST", "path": self._path, "query_string": b"",
            "headers": self._headers,
        }  # fmt: skip
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._events.empty():
            self.asked.set()
        event = await self._events.get()
        self.taken += 1
        return event

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        self._sent.append(event)

    async def send(self, chunk: bytes) -> None:
        """Send a part of the body, and wait until the gateway wants more or has answered."""
        self.asked.clear()
        self.say(chunk, more=True)
        asked = asyncio.create_task(self.asked.wait())
        await asyncio.wait({asked, self._task}, timeout=30, return_when="FIRST_COMPLETED")
        asked.cancel()

    def say(self, chunk: bytes, *, more: bool = False) -> None:
        """Send a part of the body, the last one unless `more` comes, and wait for nothing."""
        self._events.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    @property
    def is_answered(self) -> bool:
        return self._task.done()

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Those of the answer."""
        return dict(self._sent[0]["headers"])

    @property
    def body(self) -> bytes:
        """That of the answer."""
        return b"".join(one.get("body", b"") for one in self._sent)

    def leave(self) -> None:
        self._events.put_nowait({"type": "http.disconnect"})

    async def status(self, last: bytes | None = None) -> int | None:
        """Send the rest of the body; the answer's status, None when there is no answer."""
        if last is not None:
            self.say(last)
        async with asyncio.timeout(30):
            await self._task
        return int(self._sent[0]["status"]) if self._sent else None


def in_flight(gateway: GatewayUnderTest) -> tuple[float, float]:
    """Requests and bytes, as operators see them."""
    lines = dict(
        line.rsplit(" ", 1) for line in gateway.http.get("/metrics").text.splitlines() if line
    )
    prefix = "telemetry_gateway_inflight"
    return float(lines[f"{prefix}_requests"]), float(lines[f"{prefix}_bytes"])
