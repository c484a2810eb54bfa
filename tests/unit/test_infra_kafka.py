"""What the local Kafka is formatted with."""

from __future__ import annotations

import base64
from pathlib import Path

from infra.local.kafka import Broker, brokers_of, cluster_id, properties_of
from infra.local.ports import BrokerPorts

ALONE = Broker(folder=Path("k"), port=1, controller_port=2, log_file=Path("k.log"))


def test_no_cluster_is_named_like_an_option_of_kafka_s_tool() -> None:
    """One in 64 random ids begins with a dash, so a thousand show it."""
    made = [cluster_id(ALONE) for _ in range(1000)]

    assert [one for one in made if one.startswith("-")] == []
    assert len(set(made)) == 1000
    assert {len(base64.urlsafe_b64decode(one + "==")) for one in made} == {16}


def test_brokers_of_one_cluster_agree_on_its_name() -> None:
    voters = ((1, 9001), (2, 9002))
    one, other = (
        Broker(
            folder=Path(f"k{node}"),
            port=node,
            controller_port=port,
            log_file=Path("k.log"),
            node_id=node,
            voters=voters,
        )
        for node, port in voters
    )

    assert cluster_id(one) == cluster_id(other)


class TestProperties:
    def properties(self, *ports: tuple[int, int]) -> list[dict[str, str]]:
        given = [BrokerPorts(port=port, controller_port=other) for port, other in ports]
        return [
            dict(line.split("=", 1) for line in properties_of(one).splitlines())
            for one in brokers_of(Path("d"), Path("l"), given)
        ]

    def test_three_brokers_are_one_cluster_that_copies_everything_three_times(self) -> None:
        found = self.properties((1, 11), (2, 12), (3, 13))

        assert [one["node.id"] for one in found] == ["1", "2", "3"]
        assert [one["listeners"] for one in found] == [
            f"PLAINTEXT://127.0.0.1:{node},CONTROLLER://127.0.0.1:{node + 10}" for node in (1, 2, 3)
        ]
        assert {one["controller.quorum.voters"] for one in found} == {
            "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13"
        }
        assert {one["offsets.topic.replication.factor"] for one in found} == {"3"}
        assert len({one["log.dirs"] for one in found}) == 3
        assert {one["broker.session.timeout.ms"] for one in found} == {"3000"}

    def test_one_broker_needs_nobody(self) -> None:
        (alone,) = self.properties((1, 11))

        assert alone["controller.quorum.voters"] == "1@127.0.0.1:11"
        assert alone["offsets.topic.replication.factor"] == "1"
        assert alone["log.dirs"] == "d/kafka/log"
