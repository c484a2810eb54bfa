"""A client as it should not be: new ids at every try, no waits, and a 503 costs the batch."""

from __future__ import annotations

import json
from uuid import uuid4

from loadtest.client import NoReply, PhoneClient

RETRIES = 6


class CarelessPhone:
    """Posts each batch until it is taken, or until a 503."""

    def __init__(self, url: str) -> None:
        self._client = PhoneClient(url, "key")
        self._sequence = 0

    async def post(self, count: int) -> None:
        first = self._sequence + 1
        self._sequence += count
        for _ in range(RETRIES):
            events = [
                {"event_id": str(uuid4()), "type": "app_open", "timestamp": "t", "sequence": one}
                for one in range(first, first + count)
            ]
            body = {"sent_at": "then", "context": {"device": {"id": "d"}}, "events": events}
            try:
                reply = await self._client.post("/v1/events", json.dumps(body).encode())
            except NoReply:
                continue
            if reply.status in (200, 503):
                return

    async def close(self) -> None:
        await self._client.close()
