"""What a gateway acknowledged is stored, once and in its device's order, whatever happens to it.

Phones post over real connections, and send again what got no final answer. `TestControls` shows
that the same faults and the same judgement find a gateway that breaks the promise.
"""

from __future__ import annotations

from typing import Any

from tests.e2e.path_rig import PathRig
from tests.kafka import KafkaUnderTest

EARLY = ("tests.e2e.careless_gateway", "early")
ANY_PARTITION = ("tests.e2e.careless_gateway", "any")
IMPATIENT: dict[str, Any] = {
    "publish_timeout_seconds": 1.0,
    "spool_bytes": 0,
}  # 503 soon, and no spool


def kill_under_load(path: PathRig) -> None:
    """kill -9 at a third and at two thirds of the load; each time a new gateway on its port."""
    path.start_gateway().wait_until_ready()
    with path.load(seed=1):
        for count in (300, 900):
            path.wait_accepted(count)
            path.gateway.kill()
            path.start_gateway()


def kill_while_kafka_stands(path: PathRig, kafka: KafkaUnderTest, command: tuple[str, str]) -> None:
    """Kafka stops in the middle; then the gateway is killed, and both come back."""
    path.start_gateway(command, **IMPATIENT).wait_until_ready()
    with path.load(seed=2):
        path.wait_accepted(300)
        kafka.pause()
        before = path.ledger.totals()
        if command == EARLY:
            path.wait_accepted(before.accepted + 300)
        else:
            path.wait_unanswered(before.unanswered + 50)
        path.gateway.kill()
        kafka.resume()
        path.start_gateway(command, **IMPATIENT)


class TestKilled:
    def test_under_load_it_loses_nothing_it_acknowledged(self, path: PathRig) -> None:
        kill_under_load(path)

        assert path.ledger.totals().unanswered > 0  # the kills hit POSTs in flight
        path.assert_kept()

    def test_while_kafka_stands_it_loses_nothing_it_acknowledged(
        self, path: PathRig, kafka: KafkaUnderTest
    ) -> None:
        kill_while_kafka_stands(path, kafka, ("gateway", "serve"))

        path.assert_kept()


class TestKafkaStops:
    def test_posts_are_told_to_come_again_until_kafka_goes_on(
        self, path: PathRig, kafka: KafkaUnderTest
    ) -> None:
        path.start_gateway(**IMPATIENT).wait_until_ready()
        with path.load(seed=3):
            path.wait_accepted(300)
            kafka.pause()
            path.wait_unanswered(100)
            path.wait_unready()
            kafka.resume()

        reasons = {why for outcome, why, _ in path.ledger.reasons() if outcome == "unanswered"}
        assert reasons == {"503 not_kept"}
        path.gateway.wait_until_ready()
        path.assert_kept()
        path.assert_counters_close()


class TestStopped:
    def test_by_sigterm_it_ends_what_it_has_begun(self, path: PathRig) -> None:
        path.start_gateway().wait_until_ready()
        with path.load(seed=4):
            path.wait_accepted(600)
            code = path.gateway.stop()
            path.start_gateway()

        assert code == 0
        path.assert_kept()


class TestControls:
    def test_a_gateway_that_says_200_too_early_loses_events(
        self, path: PathRig, kafka: KafkaUnderTest
    ) -> None:
        kill_while_kafka_stands(path, kafka, EARLY)

        assert path.findings().clickhouse.lost.count

    def test_a_gateway_that_spreads_a_device_over_partitions_loses_its_order(
        self, path: PathRig
    ) -> None:
        path.start_gateway(ANY_PARTITION).wait_until_ready()
        with path.load(seed=5):
            pass

        found = path.findings()
        assert found.clickhouse.lost.count == 0
        assert found.clickhouse.inverted.count
