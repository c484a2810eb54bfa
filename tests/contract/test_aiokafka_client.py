"""What the gateway's sender uses of aiokafka's client, also what is not public there."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition

from gateway.contract.topics import APP_EVENTS_DEAD
from gateway.publish.connection import ProduceConnection
from gateway.publish.produce import API_KEY, API_VERSION, Answer, request
from tests.kafka import KafkaUnderTest

LOADING = 14  # a broker that has just started gets its first block of ids
NO_LEADER = -1  # of a topic that was made a moment ago


async def dial(kafka: KafkaUnderTest) -> object:
    host, port = kafka.bootstrap.split(":")
    return await create_conn(host, int(port), client_id="test", request_timeout_ms=10_000)


async def test_a_dialled_connection_knows_what_the_broker_speaks(kafka: KafkaUnderTest) -> None:
    dialled = await dial(kafka)

    lowest, highest = dialled._versions[API_KEY]  # type: ignore[attr-defined]  # that it is there
    assert lowest <= API_VERSION <= highest
    await dialled.close()  # type: ignore[attr-defined]


async def test_a_transport_taken_over_is_ours_and_lives_as_long_as_its_connection(
    kafka: KafkaUnderTest,
) -> None:
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    lost: list[str] = []
    connection = ProduceConnection(answers.put_nowait, lost.append)
    dialled = await dial(kafka)
    dialled._read_task.cancel()  # type: ignore[attr-defined]
    dialled._read_task = dialled._reader = None  # type: ignore[attr-defined]
    assert not dialled.connected()  # type: ignore[attr-defined]
    connection.take_over(dialled._writer.transport, dialled)  # type: ignore[attr-defined]
    del dialled
    gc.collect()

    connection.write(request(7, 1000, {APP_EVENTS_DEAD.name: [(0, [b""])]}))

    async with asyncio.timeout(30):
        answer = await answers.get()
    assert answer.correlation_id == 7
    assert (APP_EVENTS_DEAD.name, 0) in answer.codes
    assert lost == []
    connection.lose("the end")


@pytest.fixture
async def client(kafka: KafkaUnderTest) -> AsyncIterator[AIOKafkaClient]:
    made = AIOKafkaClient(bootstrap_servers=kafka.bootstrap)
    await made.bootstrap()
    yield made
    await made.close()


async def test_the_client_tells_leaders_and_brokers(
    kafka: KafkaUnderTest, client: AIOKafkaClient
) -> None:
    place = TopicPartition(APP_EVENTS_DEAD.name, 0)

    assert await client.set_topics([APP_EVENTS_DEAD.name]) is True
    while client.cluster.leader_for_partition(place) == NO_LEADER:
        assert await client.force_metadata_update() is True
    broker = client.cluster.broker_metadata(client.cluster.leader_for_partition(place))
    assert f"{broker.host}:{broker.port}" == kafka.bootstrap
    assert client.cluster.partitions_for_topic(APP_EVENTS_DEAD.name) == {0, 1, 2}


async def test_the_client_gets_producer_ids(client: AIOKafkaClient) -> None:
    wanted = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    code = LOADING
    while code == LOADING:
        answer = await client.send(client.get_random_node(), wanted)
        code = answer.error_code

    assert (code, answer.producer_epoch) == (0, 0)
    assert answer.producer_id >= 0
