"""Calls into the Kafka client end in time, by their own cancellation, or with an error."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from sinks.deadline import deadline


async def wait_for(shared: asyncio.Future[None], seconds: float) -> None:
    async with deadline(seconds):
        await shared


async def test_what_takes_too_long_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        await wait_for(asyncio.Future(), 0.01)


async def test_one_waiter_s_deadline_does_not_end_the_others_tasks() -> None:
    shared: asyncio.Future[None] = asyncio.Future()
    patient = asyncio.create_task(wait_for(shared, 60))

    with pytest.raises(TimeoutError):
        await wait_for(shared, 0.01)

    with pytest.raises(KafkaConnectionError):
        await patient


async def test_a_task_that_is_cancelled_ends() -> None:
    task = asyncio.create_task(wait_for(asyncio.Future(), 60))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
