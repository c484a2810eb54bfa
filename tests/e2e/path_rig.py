"""The whole path: phones, gateway, Kafka, sink, ClickHouse, and faults in its middle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.runtime import now_ms
from loadtest.compare import Place
from loadtest.devices import fleet
from loadtest.fleet import Play, run_fleet
from loadtest.ledger import Ledger
from loadtest.verify import Findings, check
from sinks.clickhouse.sql import connect
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import wait_until
from tests.processes import KEY, GatewayProcess, add_key
from tests.sink_rig import Brokers, SinkRig

GATEWAY = ("gateway", "serve")
DEVICES = 120
PLAY_SECONDS = 4.0


class PathRig(SinkRig):
    """A sink rig with a gateway before it, which can be killed and comes back on its port."""

    def __init__(self, kafka: Brokers, clickhouse: ClickHouseUnderTest, folder: Path):
        super().__init__(kafka, clickhouse, folder)
        add_key(self.app, folder)
        self.gateway_bootstrap = kafka.bootstrap
        self.gateways: list[GatewayProcess] = []
        self.ledger = Ledger()

    @property
    def gateway(self) -> GatewayProcess:
        return self.gateways[-1]

    def start_gateway(self, command: Sequence[str] = GATEWAY, **options: object) -> GatewayProcess:
        port = self.gateways[0].port if self.gateways else 0
        started = GatewayProcess(
            self.gateway_bootstrap, self.folder, port, command, None, **options
        )
        self.gateways.append(started)
        return started

    def close(self) -> None:
        for process in self.gateways:
            if not process.is_dead():
                process.kill()
        super().close()

    @contextmanager
    def load(self, seed: int) -> Iterator[None]:
        """Phones post meanwhile; left when each has got its final answers."""
        play = Play(url=self.gateway.url, write_key=KEY, seconds=PLAY_SECONDS, grace_seconds=90)
        phones = fleet(seed, DEVICES, now_ms())
        playing = threading.Thread(
            target=lambda: asyncio.run(run_fleet(play, phones, self.ledger, lambda _: None))
        )
        playing.start()
        try:
            yield
        finally:
            playing.join()

    def wait_accepted(self, count: int) -> None:
        wait_until(lambda: self.ledger.totals().accepted >= count, 60, f"{count} accepted events")

    def wait_unanswered(self, count: int) -> None:
        wait_until(lambda: self.ledger.totals().unanswered >= count, 60, f"{count} events refused")

    def wait_unready(self) -> None:
        wait_until(lambda: self.gateway.get("/readyz")[0] == 503, 60, "an unready gateway")

    def findings(self) -> Findings:
        """What the ledger says of ClickHouse, when the sink has an outcome for every record."""
        if not self.sinks:
            self.start()
        self.wait_idle()
        return asyncio.run(self._findings())

    async def _findings(self) -> Findings:
        client = await connect(self.clickhouse.server())
        try:
            return await check(client, self.app, self.ledger, patience_seconds=0)
        finally:
            await client.close()

    def assert_kept(self) -> None:
        """Every acknowledged event stored, each once, in its device's order, and no other."""
        found = self.findings()
        assert found.clickhouse == Place.clean()
        assert self.ledger.given_up() == 0
        ids = [str(one) for one in self.rows("event_id", order="event_id")]
        acknowledged = {
            one.event_id for events in self.ledger.accepted().values() for one in events
        }
        assert len(ids) == len(set(ids))
        assert set(ids) == acknowledged

    def assert_counters_close(self) -> None:
        """The only gateway counted every decoded event under the outcome its phone was told."""
        told = self.ledger.totals()
        assert self.outcomes() == {
            "accepted": told.accepted,
            "duplicate": told.duplicate,
            "rejected": told.rejected,
            "refused": told.unanswered,
        }

    def outcomes(self) -> dict[str, int]:
        """The gateway's `events_total`."""
        _, text = self.gateway.get("/metrics")
        return {
            metric.labels["outcome"]: int(metric.value)
            for family in text_string_to_metric_families(text)
            for metric in family.samples
            if metric.name == "telemetry_gateway_events_total"
        }
