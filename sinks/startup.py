"""What a sink program needs at its start, tried until it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError

from gateway.contract.readiness import Lack
from sinks.clickhouse import sql
from sinks.consumer import Stopped
from sinks.health import Condition
from sinks.sink import Misconfigured, Retryable

log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 1.0


async def until_there(
    stop: asyncio.Event,
    condition: Condition,
    attempt: Callable[[], Awaitable[T]],
    lack: Lack,
    what: str,
) -> T | None:
    """Try until it works; None when told to stop meanwhile. Raises Stopped."""
    while not stop.is_set():
        try:
            return await attempt()
        except (Misconfigured, sql.Denied) as error:
            raise Stopped(str(error)) from None
        except (sql.Unreachable, Retryable, KafkaError, OSError, TimeoutError) as error:
            text = f"{what} is not there yet: {str(error) or type(error).__name__}"
            log.warning("%s", text)
            condition.waits(lack, text)
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return None
