"""What a row of the fault suite works with: engines that rows share, and its own phones, gateway
and sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from infra.provision import ProvisionOptions
from loadtest.verify import Findings
from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.exact_rig import ExactRig
from tests.e2e.path_rig import GATEWAY, PathRig
from tests.faults.load import LoadShape, SteadyLoad
from tests.faults.row import Variant
from tests.kafka import KafkaUnderTest, provision_topics, wait_until
from tests.kafka_cluster import ClusterUnderTest
from tests.processes import KEY, GatewayProcess, Process
from tests.sink_rig import Brokers

DRAIN_SECONDS = 120.0
SETTLED_SECONDS = 180.0  # the sink's own watch over a fetch that stands still takes 60 of them
GATEWAY_OPTIONS = {"kafka_request_timeout_ms": 2000, "spool_min_free_bytes": 0}
SINK_OPTIONS = {"chunk_rows": 20_000, "chunk_age_seconds": 1.0}
WINDOW_OFFSETS = 5_000


class Engines:
    """Three brokers and a ClickHouse, each started when a row first needs it, and healed between
    rows; and one of each for what spoils them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def cluster(self) -> ClusterUnderTest:
        cluster = ClusterUnderTest(self._folder / "cluster")
        cluster.start()
        return cluster

    @cached_property
    def clickhouse(self) -> ClickHouseUnderTest:
        return _engine(self._folder / "clickhouse")

    @cached_property
    def spoilt_kafka(self) -> KafkaUnderTest:
        broker = KafkaUnderTest(self._folder / "spoilt-kafka")
        broker.start()
        provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
        return broker

    @cached_property
    def spoilt_clickhouse(self) -> ClickHouseUnderTest:
        return _engine(self._folder / "spoilt-clickhouse")

    def heal(self) -> None:
        started = vars(self)
        if "cluster" in started:
            self.cluster.heal()
        for name in ("clickhouse", "spoilt_clickhouse"):
            if name in started and started[name].is_dead():
                started[name].start()

    def close(self) -> None:
        started = vars(self)
        for name in ("cluster", "spoilt_kafka", "clickhouse", "spoilt_clickhouse"):
            if name in started:
                started[name].stop()


def _engine(folder: Path) -> ClickHouseUnderTest:
    engine = ClickHouseUnderTest(folder)
    engine.start()
    engine.migrate()
    return engine


class FaultRig(PathRig):
    """The whole path for one row: an app, a consumer group and a data folder of its own."""

    kafka: ClusterUnderTest

    def __init__(
        self,
        kafka: Brokers,
        clickhouse: ClickHouseUnderTest,
        folder: Path,
        variant: Variant,
        engines: Engines,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(kafka, clickhouse, folder)
        self.variant = variant
        self.engines = engines
        self.say = say
        self.loads: list[SteadyLoad] = []
        self.sink_restarts = 0

    def start_gateway(self, command: Sequence[str] = GATEWAY, **options: object) -> GatewayProcess:
        if self.variant.workers > 1:
            command = (*command, "--workers", str(self.variant.workers))
        return super().start_gateway(command, **{**GATEWAY_OPTIONS, **options})

    def restart_gateway(self, command: Sequence[str] = GATEWAY, **options: object) -> None:
        """kill -9, and a new one on its port."""
        self.gateway.kill()
        self.start_gateway(command, **options)

    def start(self, instance: str | None = None, **options: object) -> Process:
        """With a window of ids that does not take long to read back from a log shared by rows."""
        return super().start(instance, **{"dedup_window_offsets": WINDOW_OFFSETS, **options})

    def start_sink(self, instance: str | None = None, **options: object) -> Process:
        return self.start(instance, **{**SINK_OPTIONS, **options})

    def start_path(self, **gateway_options: object) -> None:
        """A ready gateway, and a sink."""
        self.start_sink()
        self.start_gateway(GATEWAY, **gateway_options).wait_until_ready()

    @contextmanager
    def steady(self, **shape: Any) -> Iterator[SteadyLoad]:
        """Load meanwhile; left when each phone has its final answer, and all is as it was."""
        anew = {"is_connecting_anew": self.variant.is_connecting_anew}
        load = SteadyLoad(self.gateway.url, KEY, self.ledger, LoadShape(**{**anew, **shape}))
        self.loads.append(load)
        load.start()
        try:
            yield load
        except BaseException:
            self._revive()  # so that the load can end
            raise
        finally:
            load.stop()

    def _revive(self) -> None:
        self.engines.heal()
        if self.gateway.is_dead():
            self.start_gateway()

    def last_words(self) -> str:
        """The last lines of the logs, for whoever asks why a row failed."""
        logs = sorted(self.folder.glob("*.log"))
        lines = [(one.name, one.read_text(errors="replace").splitlines()[-2:]) for one in logs[-3:]]
        return " ".join(f"[{name}] {' / '.join(tail)[-300:]}" for name, tail in lines)

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum of one of the gateway's metrics over what has these labels; None when nothing
        has."""
        status, text = self.gateway.get("/metrics")
        found = [
            sample.value
            for family in text_string_to_metric_families(text if status == 200 else "")
            for sample in family.samples
            if sample.name == f"telemetry_gateway_{name}"
            and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def wait_drained(self) -> None:
        """Until nothing waits in the gateway's spool: a log that is in Kafka is removed."""
        wait_until(lambda: not self.spooled(), DRAIN_SECONDS, "an empty spool")

    def spooled(self) -> list[Path]:
        """The files of events that are on disk and not in Kafka."""
        return sorted(self.folder.glob("spool/*/*/*.log"))

    def settled_findings(self) -> Findings:
        """The ledger against ClickHouse, when everything has had its time to arrive."""
        if self.gateways and not self.gateway.is_dead():
            self.gateway.wait_until_ready()
            self.wait_drained()
        if not self.sinks:
            self.start_sink()
        wait_until(self._is_settled, SETTLED_SECONDS, "an outcome for every record")
        return self.findings()

    def _is_settled(self) -> bool:
        """A sink that has ended by itself is started again, as any supervisor would do."""
        if self.sinks[-1].is_dead():
            self.sink_restarts += 1
            self.start_sink()
        return self.is_idle()

    def surplus(self) -> int:
        """How many events the hourly sums count beyond the distinct rows: no merge heals these."""
        (ids,) = self.rows("uniqExact(device_id, event_id)", order="1")
        (hourly,) = self.rows("sum(events)", "hourly", "1")
        return int(hourly) - int(ids)

    def sink_letters(self) -> int:
        """Dead letters that sinks wrote of this row's events."""
        (count,) = self.rows("countIf(source = 'sink')", "dead_letters FINAL", "1")
        return int(count)


class ExactFaultRig(FaultRig, ExactRig):
    """Its sinks see Kafka and ClickHouse through proxies that can harm them; merges stand still."""
