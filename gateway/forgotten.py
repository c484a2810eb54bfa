"""Those who asked to be forgotten: their wishes are read from Kafka, their events stopped."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from gateway.contract.event import Batch, Context, Event
from gateway.contract.forgotten import Wishes
from gateway.contract.topics import APP_FORGOTTEN
from gateway.contract.verdict import Code, Rejection
from gateway.publish.kafka import KafkaOptions

log = logging.getLogger(__name__)

TEXT = "who sends this asked to be forgotten"
RETRY_SECONDS = 5.0
RETRY_MS = 5_000  # between tries of a consumer that Kafka has left, or lets in no more
CLOSE_SECONDS = 1.0  # a drain waits for it
POLL_MS = 1_000


def without_forgotten(batch: Batch, app_id: str, wishes: Wishes) -> Batch:
    """The batch, with a rejection in the place of each event that may not come in."""
    device = _device_of(batch.context)
    events: list[Event | Rejection] = []
    for position, event in batch.numbered():
        if isinstance(event, Event) and wishes.stops(
            app_id, _device_of(event.context) or device, event.user_id or ""
        ):
            events.append(Rejection(position, Code.FORGOTTEN, TEXT, event.event_id))
        else:
            events.append(event)
    return msgspec.structs.replace(batch, events=events)


def _device_of(context: Context | None) -> str:
    return (context and context.device and context.device.id) or ""


class WishReader:
    """Keeps `wishes` as the topic has them. Without Kafka, or the topic, they stay as they were."""

    def __init__(self, options: KafkaOptions, wishes: Wishes) -> None:
        self._reach = {"bootstrap_servers": options.bootstrap, **options.security}
        self._timeout_ms = options.request_timeout_ms
        self._wishes = wishes

    async def run(self) -> None:
        told = ""  # one trouble is one line
        while True:
            try:
                if await self._exists():
                    await self._follow()
                trouble = f"topic {APP_FORGOTTEN.name} is not there, or not for us to read"
            except (KafkaError, OSError, TimeoutError) as error:
                trouble = type(error).__name__
            if trouble != told:
                log.warning("wishes to be forgotten are not known: %s", trouble)
                told = trouble
            await asyncio.sleep(RETRY_SECONDS)

    async def _exists(self) -> bool:
        """Asked of an admin client: a consumer's question could make the topic, with other
        settings."""
        admin = AIOKafkaAdminClient(**self._reach, request_timeout_ms=self._timeout_ms)
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await admin.start()
                return APP_FORGOTTEN.name in await admin.list_topics()
        finally:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await admin.close()

    async def _follow(self) -> None:
        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **self._reach,
            client_id="telemetry-gateway-forgotten",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=self._timeout_ms,
            fetch_max_wait_ms=POLL_MS,
            retry_backoff_ms=RETRY_MS,
        )
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await consumer.start()
            partitions = [TopicPartition(APP_FORGOTTEN.name, 0)]
            consumer.assign(partitions)
            while True:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        self._wishes.take(record.key, record.value)
        finally:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await consumer.stop()
