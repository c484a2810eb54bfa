"""The stack that all runs share: three gateways, a Kafka, a sink, a ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from gateway.edge.keys import KeyStore
from infra.local.ports import free_ports
from tests.clickhouse import ClickHouseUnderTest
from tests.processes import GatewayProcess
from tests.sdks.cases import SMALL_BODY_BYTES, Case, Gateways
from tests.sdks.judge import Outcome
from tests.sdks.run import Plan
from tests.sink_rig import Brokers, SinkRig

AT_ONCE = 24  # runs: they mostly wait
SINCE = "2026-11-24T00:00:00Z"


class SdkRig:
    """Runs plans and reads what they left in ClickHouse."""

    def __init__(self, kafka: Brokers, clickhouse: ClickHouseUnderTest, folder: Path) -> None:
        self._sink = SinkRig(kafka, clickhouse, folder)
        self._clickhouse = clickhouse
        self._folder = folder
        self._gateways: list[GatewayProcess] = []

    def outcomes(self, plans: Sequence[Plan]) -> list[Outcome]:
        gateways = self._start(plans)
        longest_first = sorted(plans, key=lambda one: list(Case).index(one.case))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            runs = list(pool.map(lambda plan: plan.run(gateways, self._folder), longest_first))
        self._sink.wait_idle()
        return [Outcome(run, self._rows(run.app)) for run in runs]

    def _start(self, plans: Sequence[Plan]) -> Gateways:
        (nobody,) = free_ports(1)
        bootstrap = self._sink.bootstrap
        self._sink.start()
        normal = self._gateway("normal", plans, bootstrap)
        full = self._gateway(
            "full", plans, f"127.0.0.1:{nobody}", spool_bytes=0, publish_timeout_seconds=0.2
        )
        small = self._gateway("small", plans, bootstrap, max_body_bytes=SMALL_BODY_BYTES)
        normal.wait_until_ready()
        small.wait_until_ready()
        return Gateways(normal.url, full.url, small.url)

    def _gateway(
        self, name: str, plans: Sequence[Plan], bootstrap: str, **options: object
    ) -> GatewayProcess:
        """A gateway with a folder of its own, which knows all keys but the bad ones."""
        folder = self._folder / name
        folder.mkdir()
        store = KeyStore(folder)
        for one in plans:
            if one.case is not Case.BAD_KEY:
                store.add(one.app, one.key, SINCE)
        started = GatewayProcess(bootstrap, folder, **options)  # type: ignore[arg-type]  # options
        self._gateways.append(started)
        return started

    def _rows(self, app: str) -> list[dict[str, Any]]:
        sql = "SELECT * FROM telemetry.events WHERE app_id = {app:String} ORDER BY kafka_offset"
        status, text = self._clickhouse.ask(f"{sql} FORMAT JSONEachRow", app=app)
        assert status == 200, text
        return [msgspec.json.decode(line) for line in text.splitlines()]

    def close(self) -> None:
        for process in self._gateways:
            if not process.is_dead():
                process.kill()
        self._sink.close()
