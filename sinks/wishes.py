"""`app-forgotten`: a wish written, and all of them read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from gateway.contract.forgotten import Wish, Wishes
from gateway.contract.topics import APP_FORGOTTEN
from sinks.kafka_clients import check_access
from sinks.sink import Misconfigured, Retryable

SECONDS = 20.0
POLL_MS = 500


async def write_wish(reach: Mapping[str, Any], mark: str, wish: Wish) -> None:
    """Returns when Kafka has it. Raises Retryable, Misconfigured."""
    if not await _exists(reach):
        raise Misconfigured(
            f"topic {APP_FORGOTTEN.name} does not exist; run `telemetry-infra provision`"
        )
    producer = AIOKafkaProducer(**reach, acks="all", client_id="telemetry-sink-forget")
    try:
        async with asyncio.timeout(SECONDS):
            await producer.start()
            value = msgspec.json.encode(wish)
            await producer.send_and_wait(APP_FORGOTTEN.name, value, mark.encode(), partition=0)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
    finally:
        await _end(producer.stop())


async def read_wishes(reach: Mapping[str, Any]) -> Wishes:
    """All wishes; none where there is no such topic yet. Raises Retryable, Misconfigured."""
    wishes = Wishes()
    if not await _exists(reach):
        return wishes
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        **reach, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    place = TopicPartition(APP_FORGOTTEN.name, 0)
    try:
        async with asyncio.timeout(SECONDS):
            await consumer.start()
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        wishes.take(record.key, record.value)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
    finally:
        await _end(consumer.stop())
    return wishes


async def _exists(reach: Mapping[str, Any]) -> bool:
    await check_access(reach)
    admin = AIOKafkaAdminClient(**reach)
    try:
        async with asyncio.timeout(SECONDS):
            await admin.start()
            return APP_FORGOTTEN.name in await admin.list_topics()
    except (KafkaError, OSError, TimeoutError) as error:
        raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
    finally:
        await _end(admin.close())


async def _end(stopping: Any) -> None:
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(SECONDS):
            await stopping
