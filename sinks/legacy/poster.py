"""Events to the gateway over its native protocol, until it has an outcome for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from sinks.legacy.metrics import Metrics
from sinks.sink import Misconfigured

log = logging.getLogger(__name__)

LATER = {408, 429, 500, 502, 503, 504}
MOST_WAIT_SECONDS = 60.0

Events = Sequence[dict[str, Any]]
Sleep = Callable[[float], Awaitable[None]]


class TooLarge(Exception):
    """The gateway does not take a POST of this size."""


class Reply(Struct, frozen=True):
    """The gateway's answer, as far as it counts here."""

    accepted: int
    duplicates: int
    rejected: list[dict[str, Any]]


class Poster:
    """One POST at a time: events keep their order."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        write_key: str,
        seconds: float,
        sleep: Sleep,
        metrics: Metrics,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/") + "/v1/events"
        self._headers = {
            "Authorization": f"Bearer {write_key}",
            "Content-Type": "application/json",
        }
        self._seconds = seconds
        self._sleep = sleep
        self._metrics = metrics
        self.trouble = ""  # why the gateway has not taken the POST at work

    async def post(self, events: Events) -> Reply:
        """Tries until the gateway has taken them. Raises TooLarge, Misconfigured, and whatever
        `sleep` raises."""
        wait = 0.5
        while True:
            status, headers, body = await self._once(events)
            if status and status not in LATER:
                self.trouble = ""
            if status == 200:
                return msgspec.json.decode(body, type=Reply)
            if status == 413:
                raise TooLarge
            if status and status not in LATER:
                text = body.decode("utf-8", "replace")[:300]
                raise Misconfigured(f"the gateway answered {status}: {text}")
            after = headers.get("Retry-After", "")
            seconds = float(after) if after.isdigit() else wait
            said = f"answered {status}" if status else "did not answer"
            log.warning("the gateway %s; again in %g s", said, seconds)
            self.trouble = f"the gateway {said}"
            self._metrics.retries.labels(str(status)).inc()
            await self._sleep(min(seconds, MOST_WAIT_SECONDS))
            wait = min(2 * wait, MOST_WAIT_SECONDS)

    async def _once(self, events: Events) -> tuple[int, dict[str, str], bytes]:
        """Status 0 stands for no answer."""
        sent_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = msgspec.json.encode({"sent_at": sent_at, "events": events})
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.post(
                    self._url, data=body, headers=self._headers, allow_redirects=False
                ) as answer,
            ):
                return answer.status, dict(answer.headers), await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("POST: %s", str(error) or type(error).__name__)
            return 0, {}, b""
