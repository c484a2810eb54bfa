"""What the local Kafka is formatted with."""

from __future__ import annotations

import base64
from pathlib import Path

from infra.local.kafka import Broker, cluster_id

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
