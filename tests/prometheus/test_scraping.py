"""A real Prometheus over a gateway and a sink that have nobody behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from infra.grafana.boards import BOARDS
from infra.grafana.panel import Measured
from infra.local.ports import free_ports
from tests.kafka import wait_until
from tests.processes import GatewayProcess, Process, add_key, sink
from tests.prometheus.server import PrometheusUnderTest, program, prometheus
from tests.prometheus.test_rules import RULES_FILE


class Scraped:
    def __init__(self, watching: PrometheusUnderTest, sink: Process) -> None:
        self.prometheus = watching
        self.sink = sink


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    program("prometheus")
    folder = tmp_path_factory.mktemp("scraped")
    nobody, port = free_ports(2)
    away = f"127.0.0.1:{nobody}"
    add_key("demo", folder)
    gateway = GatewayProcess(away, folder, spool_bytes=0)
    consumer = sink(
        away, f"http://{away}", "", "", folder / "sink.log", group="watched", metrics_port=port
    )
    rules = folder / "alerts.yaml"
    rules.write_text(re.sub(r"for: \w+", "for: 2s", RULES_FILE.read_text()))
    targets = {
        "telemetry-gateway": gateway.url.removeprefix("http://"),
        "telemetry-sink": f"127.0.0.1:{port}",
    }
    try:
        with prometheus(folder, targets, rules) as watching:
            yield Scraped(watching, consumer)
    finally:
        for process in (gateway, consumer):
            if not process.is_dead():
                process.kill()


class TestPanels:
    def test_each_expression_is_one(self, scraped: Scraped) -> None:
        """What Prometheus cannot read it answers with an error."""
        asked = [one for board in BOARDS for one in board.panels if isinstance(one, Measured)]

        for panel in asked:
            for expression in panel.series.values():
                scraped.prometheus.query(expression.replace("$__rate_interval", "1m"))
        assert asked


class TestAlerts:
    def test_fire_for_what_is_away_and_for_nothing_else(self, scraped: Scraped) -> None:
        watching = scraped.prometheus
        expected = {"TelemetryGatewayRefuses", "TelemetrySinkBehind"}

        wait_until(lambda: watching.firing() >= expected, 30, "the alerts")

        assert watching.firing() == expected
        scraped.sink.kill()
        wait_until(lambda: "TelemetryProcessDown" in watching.firing(), 30, "the next one")
