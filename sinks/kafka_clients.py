"""The Kafka clients of one sink process: its consumer, an admin client, and the cluster's id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from gateway.contract.kafka_access import KafkaAccess
from gateway.contract.kafka_refusal import knock
from sinks.config import MB, SinkConfig
from sinks.polled import PolledConsumer
from sinks.sink import Misconfigured

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
KNOCK_SECONDS = 10.0
LOOK_SECONDS = 5.0
AGAIN_SECONDS = 5.0
NO_LIMIT_MS = 24 * 3600 * 1000


def reach(config: KafkaAccess) -> dict[str, Any]:
    """The options of any client: where brokers are, and who we are. Raises ConfigError."""
    return {"bootstrap_servers": config.kafka_bootstrap, **config.client_security()}


async def check_access(reach: Mapping[str, Any], seconds: float = KNOCK_SECONDS) -> None:
    """Whether Kafka lets us in, if it is there. Raises Misconfigured naming the option."""
    security = {name: value for name, value in reach.items() if name != "bootstrap_servers"}
    reason = await knock(reach["bootstrap_servers"], security, create_conn, seconds)
    if reason is not None:
        raise Misconfigured(reason)


async def watch_access(admin: AIOKafkaAdminClient, reach: Mapping[str, Any]) -> None:
    """See to it, until cancelled, that Kafka lets us in. Its consumer would knock for ever, several
    times a second. Raises Misconfigured.

    A broker that is just starting may not know its users yet: so it is asked twice.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            async with asyncio.timeout(KNOCK_SECONDS):
                await admin.describe_cluster()
        except (KafkaError, OSError, TimeoutError):
            try:
                await check_access(reach)
            except Misconfigured as error:
                log.warning("%s", error)
                await asyncio.sleep(AGAIN_SECONDS)
                await check_access(reach)


class KafkaClients:
    """Started together, closed together."""

    def __init__(
        self,
        consumer: PolledConsumer,
        admin: AIOKafkaAdminClient,
        cluster: str,
        reach: Mapping[str, Any],
    ) -> None:
        self._reach = reach
        self.consumer = consumer
        self.admin = admin
        self.cluster = cluster

    @classmethod
    async def start(cls, config: SinkConfig, instance: str | None) -> KafkaClients:
        """Raises KafkaError, OSError, TimeoutError, Misconfigured."""
        await check_access(reach(config))
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
        return cls(consumer, admin, str(described["cluster_id"]), reach(config))

    async def close(self) -> None:
        await _close(self.consumer, self.admin)

    async def watch(self) -> None:
        """`watch_access` for these clients. Raises Misconfigured."""
        await watch_access(self.admin, self._reach)


async def _close(consumer: PolledConsumer, admin: AIOKafkaAdminClient) -> None:
    for stop in (consumer.stop, admin.close):
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("a Kafka client did not close: %s", type(error).__name__)


def _consumer(config: SinkConfig, instance: str | None) -> PolledConsumer:
    return PolledConsumer(
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
