"""A deadline for a call into the Kafka client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaConnectionError


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, and a cancellation that nobody asked of this task is a lost connection.

    Tasks of one aiokafka client wait for the same futures, of its connections and its metadata.
    When the deadline of one of them cancels such a future, all others are cancelled with it; a task
    that believed it would end without a word. Raises TimeoutError, KafkaConnectionError.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise KafkaConnectionError("cancelled inside the Kafka client") from None
