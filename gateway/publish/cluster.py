"""The Kafka cluster by aiokafka's client: who leads, sockets to brokers, producer ids.

This is the one place of the gateway that leans on aiokafka's internals; the version is pinned and
`tests/contract/test_aiokafka_client.py` names what is used. aiokafka dials, so TLS and SASL are
its; the socket is ours afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.transaction import InitProducerIdRequest
from msgspec import Struct

from gateway.contract.kafka_refusal import ACLS, knock, why_refused
from gateway.publish.connection import ProduceConnection, RefusedByKafka
from gateway.publish.produce import API_KEY, API_VERSION
from gateway.publish.records import Producer

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0  # for an answer to the question who leads, or whether we are let in
NO_TRANSACTION_MS = 60_000  # asked for, and without meaning where there is no transactional id


class ClusterOptions(Struct, frozen=True, kw_only=True):
    bootstrap: str
    request_timeout_ms: int
    security: dict[str, Any] = {}  # aiokafka's options for TLS and SASL


class ClusterError(Exception):
    """The cluster cannot be used now. The text says why."""


class Refused(ClusterError):
    """Kafka is there and will not have us. The text says what to mend."""


class Cluster:
    """One view of the cluster; a fresh one is made when it goes stale."""

    def __init__(self, options: ClusterOptions, expected: Mapping[str, int]) -> None:
        self._options = options
        self._expected = expected  # partitions by topic
        self._client = AIOKafkaClient(
            bootstrap_servers=options.bootstrap,
            client_id="telemetry-gateway",
            request_timeout_ms=options.request_timeout_ms,
            retry_backoff_ms=100,
            **options.security,
        )
        self.metadata_wanted = asyncio.Event()

    async def open(self) -> None:
        """Find the brokers and the topics. Raises ClusterError."""
        try:
            async with asyncio.timeout(self._options.request_timeout_ms / 1000):
                await self._client.bootstrap()
                await self._client.set_topics(self._expected)
        except (KafkaError, OSError, TimeoutError) as error:
            raise ClusterError(f"Kafka cannot be reached: {_text(error)}") from None
        self._check_topics()

    async def why_refused(self) -> str | None:
        """Whether Kafka is there and will not have us; its client does not tell."""
        seconds = min(PROBE_SECONDS, self._options.request_timeout_ms / 1000)
        return await knock(self._options.bootstrap, self._options.security, create_conn, seconds)

    async def refresh(self) -> None:
        """Ask for the leaders again. Raises ClusterError when nobody answers in time."""
        self.metadata_wanted.clear()
        patience = min(PROBE_SECONDS, self._options.request_timeout_ms / 1000)
        try:
            async with asyncio.timeout(patience):
                answered = await self._client.force_metadata_update()
        except TimeoutError:
            answered = False
        if not answered:
            raise ClusterError("Kafka does not answer")
        self._check_topics()

    def _check_topics(self) -> None:
        """A changed partition count would move devices to other partitions, out of order."""
        for topic in self._expected:
            if topic in self._client.cluster.unauthorized_topics:
                raise Refused(f"topic {topic} is forbidden to us; {ACLS}")
        for topic, expected in self._expected.items():
            found = len(self._client.cluster.partitions_for_topic(topic) or ())
            if found != expected:
                raise ClusterError(
                    f"topic {topic} has {found} partitions, {expected} are configured; "
                    "`telemetry-infra provision` makes the topics"
                )

    async def new_producer(self) -> Producer:
        """A producer id that nobody else has. Raises ClusterError."""
        node = self._client.get_random_node()
        request = InitProducerIdRequest(
            transactional_id=None, transaction_timeout_ms=NO_TRANSACTION_MS
        )
        try:
            async with asyncio.timeout(self._options.request_timeout_ms / 1000):
                answer = await self._client.send(node, request)
        except (KafkaError, OSError, TimeoutError) as error:
            raise ClusterError(f"no producer id: {_text(error)}") from None
        if answer.error_code:
            found = for_code(answer.error_code)
            if (reason := why_refused(found())) is not None:
                raise Refused(f"no producer id: {reason}")
            raise ClusterError(f"no producer id: {found.__name__}")
        return Producer(answer.producer_id, answer.producer_epoch)

    def leader(self, topic: str, partition: int) -> int | None:
        """The node that leads a partition; None where none is known."""
        node: int | None = self._client.cluster.leader_for_partition(
            TopicPartition(topic, partition)
        )
        return None if node is None or node < 0 else node

    def want_metadata(self) -> None:
        self.metadata_wanted.set()

    async def dial(self, node: int, connection: ProduceConnection) -> None:
        """Connect to a node, and let `connection` have the transport. Raises ConnectionError, of
        it RefusedByKafka."""
        broker = self._client.cluster.broker_metadata(node)
        if broker is None:
            raise ConnectionError(f"broker {node} is not known")
        try:
            async with asyncio.timeout(self._options.request_timeout_ms / 1000):
                dialled = await create_conn(
                    broker.host,
                    broker.port,
                    client_id="telemetry-gateway",
                    request_timeout_ms=self._options.request_timeout_ms,
                    **self._options.security,
                )
        except (KafkaError, OSError, TimeoutError) as error:
            if (reason := why_refused(error)) is not None:
                raise RefusedByKafka(reason) from None
            raise ConnectionError(_text(error)) from None
        lowest, highest = dialled._versions.get(API_KEY, (0, 0))
        if not lowest <= API_VERSION <= highest:
            dialled.close()
            raise ConnectionError(f"it takes produce requests {lowest} to {highest}, not 7")
        _take_over(dialled, connection)

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._client.close()


def _take_over(dialled: Any, connection: ProduceConnection) -> None:
    """Let aiokafka forget the socket it has dialled, and hand it on."""
    dialled._read_task.cancel()
    dialled._read_task = dialled._reader = None  # so it counts as closed, and closes nothing
    connection.take_over(dialled._writer.transport, dialled)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
