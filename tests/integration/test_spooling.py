"""Gateways on a real Kafka that goes away: phones notice nothing, and nothing leaves its order.

Every POST has a connection of its own, so that with several workers a phone's POSTs land on any.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.provision import ProvisionOptions, provision
from tests.builders import make_batch
from tests.kafka import KafkaUnderTest, wait_until
from tests.posting import EVENTS_PER_POST, Posting
from tests.processes import GatewayProcess, add_key

ONE = ("gateway", "serve")
TWO = ("gateway", "serve", "--workers", "2")
UNSORTED = ("tests.e2e.careless_gateway", "unsorted")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """A broker of its own, with our topics."""
    under_test = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    under_test.start()
    asyncio.run(provision(ProvisionOptions(bootstrap=under_test.bootstrap, replication_factor=1)))
    yield under_test
    under_test.stop()


class Rig:
    """Gateways one after another on the same port and data."""

    def __init__(self, broker: KafkaUnderTest, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.gateways: list[GatewayProcess] = []
        self.command: Sequence[str] = ONE
        add_key("demo", folder)

    @property
    def gateway(self) -> GatewayProcess:
        return self.gateways[-1]

    def start(self, command: Sequence[str] = ONE, **options: object) -> GatewayProcess:
        port = self.gateways[0].port if self.gateways else 0
        options = {"spool_min_free_bytes": 0, "kafka_request_timeout_ms": 2000} | options
        made = GatewayProcess(self.broker.bootstrap, self.folder, port, command, None, **options)
        self.command = command
        self.gateways.append(made)
        made.wait_until_ready()
        return made

    def metric(self, name: str, **labels: str) -> float:
        """The sum of its series that have these labels."""
        _, text = self.gateway.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"telemetry_gateway_{name}"
            and labels.items() <= sample.labels.items()
        )

    def wait_drained(self) -> None:
        if self.command == TWO:
            wait_until(lambda: self.metric("worker_up") == 3, what="an answer of every process")
        wait_until(lambda: self.metric("spool_lanes") == 0, 60, "an empty spool")

    def close(self) -> None:
        self.broker.resume()
        for one in self.gateways:
            if not one.is_dead():
                one.stop()


@pytest.fixture
def rig(broker: KafkaUnderTest, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(broker, tmp_path)
    yield made
    made.close()


def outage(rig: Rig, posting: Posting) -> None:
    """Kafka stands still until many POSTs were spooled, and goes on until many were not."""
    posting.wait_told("kafka", 40)
    rig.broker.pause()
    posting.wait_told("spool", 200)
    rig.broker.resume()
    posting.wait_told("kafka", 100)


class TestOutage:
    @pytest.mark.parametrize("command", [ONE, TWO], ids=["one worker", "two workers"])
    def test_every_post_is_kept_and_every_device_keeps_its_order(
        self, rig: Rig, command: Sequence[str]
    ) -> None:
        posting = Posting(rig.start(command))
        with posting.running():
            outage(rig, posting)
            outage(rig, posting)

        rig.wait_drained()
        assert set(posting.told) == {"kafka", "spool"}
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_a_drain_that_keeps_no_order_is_found_out(self, rig: Rig) -> None:
        posting = Posting(rig.start(UNSORTED))
        with posting.running():
            outage(rig, posting)

        rig.wait_drained()
        lost, moved = posting.compared(rig.broker.bootstrap)
        assert lost == []
        assert moved

    def test_killed_in_it_the_next_gateway_takes_the_log_over(self, rig: Rig) -> None:
        posting = Posting(rig.start())
        with posting.running():
            posting.wait_told("kafka", 40)
            rig.broker.pause()
            posting.wait_told("spool", 100)
            rig.gateway.kill()
            rig.start()
            posting.wait_told("spool", 100)
            rig.broker.resume()
            posting.wait_told("kafka", 100)

        rig.wait_drained()
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_stopped_in_it_a_gateway_ends_and_keeps_what_it_has(self, rig: Rig) -> None:
        posting = Posting(rig.start())
        with posting.running():
            posting.wait_told("kafka", 40)
            rig.broker.pause()
            posting.wait_told("spool", 100)
            assert rig.gateway.stop() == 0
            rig.broker.resume()
            rig.start()
            posting.wait_told("kafka", 100)

        rig.wait_drained()
        posting.assert_kept_in_order(rig.broker.bootstrap)


class TestBounds:
    def test_a_full_spool_is_503_and_not_ready(self, rig: Rig) -> None:
        posting = Posting(rig.start(spool_bytes=100_000))
        with posting.running():
            posting.wait_told("kafka", 40)
            rig.broker.pause()
            posting.wait_told("503", 50)
            wait_until(lambda: rig.gateway.get("/readyz")[0] == 503, what="an unready gateway")
            _, text = rig.gateway.get("/readyz")
            rig.broker.resume()
            posting.wait_told("kafka", 100)

        assert "the spool is full" in text
        rig.wait_drained()
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_without_kafka_from_the_start_it_is_ready_and_spools(self, rig: Rig) -> None:
        rig.broker.pause()
        rig.start()
        status, text = rig.gateway.post(make_batch())
        rig.broker.resume()

        assert (status, json.loads(text)["stored"]) == (200, "spool")
        rig.wait_drained()


class TestWorkers:
    def test_killed_ones_are_started_again_and_cost_a_retry_at_most(self, rig: Rig) -> None:
        posting = Posting(rig.start(TWO))
        with posting.running():
            for name in ("0", "keeper", "1"):
                before = rig.gateway.members()[name]
                posting.wait_told("kafka", 100)
                before.kill()
                wait_until(
                    lambda name=name, before=before: (
                        rig.gateway.members().get(name, before) != before
                    ),  # type: ignore[misc]
                    what="another process",
                )
            posting.wait_told("kafka", 100)
            rig.broker.pause()
            posting.wait_told("spool", 100)
            for name in ("keeper", "0"):
                rig.gateway.members()[name].kill()
                posting.wait_told("spool", 100)
            rig.broker.resume()
            posting.wait_told("kafka", 100)

        rig.wait_drained()
        assert set(posting.told) <= {"kafka", "spool", "503", "0"}
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_they_are_replaced_one_by_one_on_sighup(self, rig: Rig) -> None:
        posting = Posting(rig.start(TWO))
        before = rig.gateway.members()
        with posting.running():
            posting.wait_told("kafka", 100)
            os.kill(rig.gateway.pid, signal.SIGHUP)
            wait_until(
                lambda: not any(before[name].is_running() for name in "01"), 60, "other workers"
            )
            posting.wait_told("kafka", 100)

        after = rig.gateway.members()
        assert after["keeper"] == before["keeper"]
        assert {after["0"], after["1"]}.isdisjoint(before.values())
        assert set(posting.told) <= {"kafka", "0"}
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_all_end_when_their_supervisor_is_killed(self, rig: Rig) -> None:
        posting = Posting(rig.start(TWO))
        members = rig.gateway.members()
        (folder,) = {one.cmdline()[one.cmdline().index("--run") + 1] for one in members.values()}
        with posting.running():
            posting.wait_told("kafka", 100)
            rig.broker.pause()
            posting.wait_told("spool", 100)
            rig.gateway.kill()
            wait_until(lambda: not any(one.is_running() for one in members.values()), 60, "no one")
            assert not Path(folder).exists()
            rig.start(TWO)
            posting.wait_told("spool", 50)
            rig.broker.resume()
            posting.wait_told("kafka", 100)

        rig.wait_drained()
        posting.assert_kept_in_order(rig.broker.bootstrap)

    def test_one_page_has_the_metrics_of_all(self, rig: Rig) -> None:
        posting = Posting(rig.start(TWO))
        with posting.running():
            posting.wait_told("kafka", 200)

        shares = [rig.metric("events_total", outcome="accepted", worker=one) for one in "01"]
        assert all(shares)
        assert sum(shares) == posting.told["kafka"] * EVENTS_PER_POST
        assert rig.metric("worker_up") == 3

    def test_a_stop_ends_all_of_them(self, rig: Rig) -> None:
        rig.start(TWO)
        members = rig.gateway.members()

        assert rig.gateway.stop() == 0
        assert not any(one.is_running() for one in members.values())

    def test_a_spool_that_cannot_be_used_stops_them_at_the_start(self, rig: Rig) -> None:
        (rig.folder / "spool").write_text("in the way")
        command = [sys.executable, "-m", *TWO, "--data", str(rig.folder)]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == 2
        assert "TELEMETRY_GATEWAY_DATA" in done.stderr
