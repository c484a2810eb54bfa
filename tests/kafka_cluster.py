"""Three real brokers on loopback, each its own process: any of them can be killed or frozen."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from infra.local import kafka as local_kafka
from infra.local.ports import BrokerPorts, free_ports
from infra.provision import ProvisionOptions, provision
from tests.kafka import until_answers, wait_until

IN_SYNC_SECONDS = 120.0


class ClusterUnderTest:
    """Node ids are 1, 2 and 3; our topics have three copies, of which two must be in sync."""

    def __init__(self, folder: Path) -> None:
        free = free_ports(6)
        ports = [
            BrokerPorts(port=port, controller_port=controller)
            for port, controller in zip(free[:3], free[3:], strict=True)
        ]
        brokers = local_kafka.brokers_of(folder, folder, ports)
        self._brokers = {broker.node_id: broker for broker in brokers}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for broker in self._brokers.values():
            local_kafka.prepare(broker)

    @property
    def bootstrap(self) -> str:
        return ",".join(one.bootstrap for one in self._brokers.values())

    def port_of(self, node: int) -> int:
        return self._brokers[node].port

    def start(self) -> None:
        for node in self._brokers:
            self._spawn(node)
        for broker in self._brokers.values():
            asyncio.run(until_answers(broker.bootstrap))
        asyncio.run(provision(ProvisionOptions(bootstrap=self.bootstrap, replication_factor=3)))

    def restart(self, node: int) -> None:
        self._spawn(node)
        asyncio.run(until_answers(self._brokers[node].bootstrap))

    def _spawn(self, node: int) -> None:
        self._processes[node] = subprocess.Popen(
            local_kafka.command(self._brokers[node]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, node: int) -> None:
        self._processes[node].kill()
        self._processes[node].wait(30)

    def pause(self, node: int) -> None:
        os.kill(self._processes[node].pid, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        os.kill(self._processes[node].pid, signal.SIGCONT)

    def pause_all(self) -> None:
        for node in self._running():
            self.pause(node)

    def resume_all(self) -> None:
        for node in self._running():
            self.resume(node)

    def kill_all(self) -> None:
        for node in self._running():
            self.kill(node)

    def _running(self) -> list[int]:
        return [node for node, process in self._processes.items() if process.poll() is None]

    def heal(self) -> None:
        """Bring back whatever was frozen or killed; until every copy of every partition is in
        sync again."""
        self.resume_all()
        dead = sorted(self._processes.keys() - self._running())
        for node in dead:
            self._spawn(node)
        for node in dead:
            asyncio.run(until_answers(self._brokers[node].bootstrap))
        wait_until(self.is_in_sync, IN_SYNC_SECONDS, "every copy in sync")

    def is_in_sync(self) -> bool:
        return asyncio.run(self._is_in_sync())

    async def _is_in_sync(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            described = await admin.describe_topics()
        except (KafkaError, TimeoutError):
            return False
        finally:
            await admin.close()
        return all(
            len(partition["isr"]) == len(self._brokers)
            for topic in described
            for partition in topic["partitions"]
        )

    def stop(self) -> None:
        for node, process in self._processes.items():
            if process.poll() is None:
                self.resume(node)
                process.kill()
                process.wait(30)

    async def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition, as the cluster says now; -1 where none does."""
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap)
        try:
            await client.bootstrap()
            await client.set_topics([topic])
            partitions = client.cluster.partitions_for_topic(topic) or ()
            return {
                one: client.cluster.leader_for_partition(TopicPartition(topic, one))
                for one in partitions
            }
        finally:
            await client.close()
