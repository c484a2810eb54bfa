"""The sender on three brokers: leaders killed and frozen under load; nothing lost or twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest

from gateway.contract.topics import APP_EVENTS
from tests.kafka import until
from tests.kafka_cluster import ClusterUnderTest
from tests.sending import DEVICES, WAIT_SECONDS, Sending, assert_kept_in_order, kept, load

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterUnderTest]:
    under_test = ClusterUnderTest(tmp_path_factory.mktemp("cluster"))
    under_test.start()
    yield under_test
    under_test.stop()


async def busiest(cluster: ClusterUnderTest) -> int:
    """The node that leads the most partitions."""
    ((node, _),) = Counter((await cluster.leaders(APP_EVENTS.name)).values()).most_common(1)
    return node


async def led_by_others(cluster: ClusterUnderTest, node: int) -> None:
    """Until no partition is led by `node`, nor by none."""
    async with asyncio.timeout(WAIT_SECONDS):
        while {node, -1} & set((await cluster.leaders(APP_EVENTS.name)).values()):
            pass  # asking takes its time


async def goes_on(sending: Sending) -> None:
    """Until every device has been acknowledged some more."""
    seen = sending.acknowledged
    await until(lambda: sending.acknowledged > seen + 5 * DEVICES, WAIT_SECONDS, "progress")


async def test_leaders_that_are_killed_cost_nothing(cluster: ClusterUnderTest) -> None:
    async with Sending(cluster.bootstrap) as sending:
        mark, stop = str(uuid4()), asyncio.Event()
        loading = asyncio.create_task(load(sending, mark, stop))
        for _ in range(2):
            await goes_on(sending)
            node = await busiest(cluster)
            cluster.kill(node)
            await led_by_others(cluster, node)
            await goes_on(sending)
            await asyncio.to_thread(cluster.restart, node)
        stop.set()
        acknowledged = await loading

    lying = await kept(cluster.bootstrap, mark)
    assert_kept_in_order(acknowledged, lying)
    assert max(Counter(one.value for one in lying).values()) == 1


async def test_a_leader_that_freezes_is_left_and_its_late_writes_are_no_copies(
    cluster: ClusterUnderTest,
) -> None:
    async with Sending(cluster.bootstrap) as sending:
        mark, stop = str(uuid4()), asyncio.Event()
        loading = asyncio.create_task(load(sending, mark, stop))
        await goes_on(sending)
        node = await busiest(cluster)
        cluster.pause(node)
        await led_by_others(cluster, node)
        await goes_on(sending)
        cluster.resume(node)
        await goes_on(sending)
        stop.set()
        acknowledged = await loading

    lying = await kept(cluster.bootstrap, mark)
    assert_kept_in_order(acknowledged, lying)
    assert max(Counter(one.value for one in lying).values()) == 1


async def test_two_brokers_away_is_no_ack_and_one_back_is_enough(
    cluster: ClusterUnderTest,
) -> None:
    async with Sending(cluster.bootstrap) as sending:
        mark, stop = str(uuid4()), asyncio.Event()
        loading = asyncio.create_task(load(sending, mark, stop))
        await goes_on(sending)
        for node in (1, 2):
            cluster.kill(node)
        await until(lambda: bool(sending.errors()), WAIT_SECONDS)
        await asyncio.to_thread(cluster.restart, 1)
        await goes_on(sending)
        await asyncio.to_thread(cluster.restart, 2)
        stop.set()
        acknowledged = await loading

    lying = await kept(cluster.bootstrap, mark)
    assert_kept_in_order(acknowledged, lying)
    assert max(Counter(one.value for one in lying).values()) == 1
