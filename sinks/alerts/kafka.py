"""The Kafka clients of an alerts process, and the offsets of its group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata

from gateway.contract.topics import APP_ALERTS_DEAD, APP_ALERTS_STATE, APP_EVENTS
from sinks.alerts.assignor import OneOwnerAssignor
from sinks.alerts.config import AlertsConfig
from sinks.config import MB
from sinks.intent import GroupOffsets
from sinks.kafka_clients import NO_LIMIT_MS, check_access, reach, watch_access

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
REBALANCE_MS = 60_000


class AlertOffsets(GroupOffsets):
    """The group's offsets; their metadata carry how far in time they are."""

    async def fetch(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Of all of them: a missing one is an error that aiokafka does not raise.

        Raises KafkaError.
        """
        found: dict[
            TopicPartition, OffsetAndMetadata
        ] = await self._admin.list_consumer_group_offsets(self._group, partitions=list(partitions))
        if set(found) != set(partitions):
            raise KafkaError("the group's offsets are not known")
        return found


class AlertClients:
    """Started together, closed together."""

    def __init__(self, config: AlertsConfig, instance: str | None) -> None:
        self._seconds = config.kafka_request_timeout_ms / 1000
        self._reach = reach(config)
        self.admin = AIOKafkaAdminClient(
            **self._reach, request_timeout_ms=config.kafka_request_timeout_ms
        )
        self.consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **self._reach,
            group_id=config.group,
            group_instance_id=instance,
            client_id="telemetry-alerts",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(OneOwnerAssignor,),
            session_timeout_ms=config.session_timeout_ms,
            heartbeat_interval_ms=config.session_timeout_ms // 10,
            rebalance_timeout_ms=REBALANCE_MS,
            max_poll_interval_ms=NO_LIMIT_MS,
            request_timeout_ms=config.kafka_request_timeout_ms + REBALANCE_MS,
            fetch_max_bytes=16 * MB,
            max_partition_fetch_bytes=MB,
            metadata_max_age_ms=30_000,
        )
        self.offsets = AlertOffsets(self.consumer, self.admin, config.group)

    async def start(self) -> None:
        """Raises KafkaError, OSError, TimeoutError, Misconfigured; closed then."""
        try:
            await check_access(self._reach, self._seconds)
            async with asyncio.timeout(self._seconds):
                await self.admin.start()
                await self._check_topics()
                await self.consumer.start()
        except BaseException:
            await self.close()
            raise

    async def _check_topics(self) -> None:
        topics = set(await self.admin.list_topics())
        for one in (APP_EVENTS, APP_ALERTS_STATE, APP_ALERTS_DEAD):
            if one.name not in topics:
                raise UnknownTopicOrPartitionError(
                    f"there is no topic {one.name}; `telemetry-infra provision` makes it"
                )

    async def watch(self) -> None:
        """`watch_access` for these clients. Raises Misconfigured."""
        await watch_access(self.admin, self._reach)

    async def close(self) -> None:
        for stop in (self.consumer.stop, self.admin.close):
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await stop()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("a Kafka client did not close: %s", type(error).__name__)
