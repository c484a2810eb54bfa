"""The Kafka clients of one sink process: its consumer, an admin client, and the cluster's id."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from gateway.contract.kafka_access import KafkaAccess
from sinks.config import MB, SinkConfig

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
NO_LIMIT_MS = 24 * 3600 * 1000


def reach(config: KafkaAccess) -> dict[str, Any]:
    """The options of any client: where brokers are, and who we are. Raises ConfigError."""
    return {"bootstrap_servers": config.kafka_bootstrap, **config.client_security()}


class KafkaClients:
    """Started together, closed together."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        admin: AIOKafkaAdminClient,
        cluster: str,
    ) -> None:
        self.consumer = consumer
        self.admin = admin
        self.cluster = cluster

    @classmethod
    async def start(cls, config: SinkConfig, instance: str | None) -> KafkaClients:
        admin = AIOKafkaAdminClient(
            **reach(config),
            request_timeout_ms=config.kafka_request_timeout_ms,
        )
        consumer = _consumer(config, instance)
        try:
            async with asyncio.timeout(config.kafka_request_timeout_ms / 1000):
                await admin.start()
                described = await admin.describe_cluster()
                await consumer.start()
        except BaseException:
            await _close(consumer, admin)
            raise
        return cls(consumer, admin, str(described["cluster_id"]))

    async def close(self) -> None:
        await _close(self.consumer, self.admin)


async def _close(consumer: AIOKafkaConsumer[bytes, bytes], admin: AIOKafkaAdminClient) -> None:
    for stop in (consumer.stop, admin.close):
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("a Kafka client did not close: %s", type(error).__name__)


def _consumer(config: SinkConfig, instance: str | None) -> AIOKafkaConsumer[bytes, bytes]:
    return AIOKafkaConsumer(
        **reach(config),
        group_id=config.group,
        group_instance_id=instance,
        client_id="telemetry-sink",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=config.session_timeout_ms,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
        rebalance_timeout_ms=config.rebalance_timeout_ms,
        max_poll_interval_ms=NO_LIMIT_MS,  # the stall watch decides, not the time of a poll
        request_timeout_ms=config.kafka_request_timeout_ms + config.rebalance_timeout_ms,
        fetch_max_bytes=32 * MB,
        max_partition_fetch_bytes=4 * MB,
        fetch_min_bytes=64 * 1024,
        fetch_max_wait_ms=250,
        metadata_max_age_ms=30_000,  # a topic that is made later is found within this time
    )
