"""The sink between two proxies that can kill or freeze it in any window around its insert."""

from __future__ import annotations

from pathlib import Path

from tests.clickhouse import ClickHouseUnderTest
from tests.exactness import assert_exact, stored
from tests.kafka import wait_until
from tests.kafka_proxy import KafkaProxy
from tests.processes import Process
from tests.proxy import ClickHouseProxy, Dropped, Harm, Insert
from tests.sink_rig import Brokers, SinkRig

EVENTS = "telemetry.events"

MATURE = 14  # chunks of a life: some beyond those it repeats, in every partition's middle

WINDOWS = (
    "before the intent",
    "announced, the answer unheard",
    "announced, not inserted",
    "inserted, the answer unheard",
    "inserted, not acknowledged",
)


class ExactRig(SinkRig):
    """A sink rig whose sinks see Kafka and ClickHouse through proxies."""

    def __init__(self, kafka: Brokers, clickhouse: ClickHouseUnderTest, folder: Path):
        super().__init__(kafka, clickhouse, folder)
        self.proxy = ClickHouseProxy(clickhouse.url)
        self.kafka_proxy = KafkaProxy(kafka.bootstrap)
        self.url = self.proxy.url
        self.bootstrap = self.kafka_proxy.bootstrap
        # Merges would heal what must not need to be healed.
        clickhouse.ask("SYSTEM STOP MERGES telemetry.events")

    def close(self) -> None:
        super().close()
        self.proxy.close()
        self.kafka_proxy.close()
        self.clickhouse.ask("SYSTEM START MERGES telemetry.events")

    def live_and_die(self, lives: int) -> None:
        """Sinks one after another, each until it is dead, then one that lives on."""
        for life in range(lives):
            wait_until(self.start_life(life).is_dead, 60, "the sink's death")
        self.start_life(lives)
        self.wait_idle()

    def start_life(self, life: int) -> Process:
        """Each life would cut other chunks than the one before."""
        return self.start("one", chunk_rows=20 + 7 * life)

    def assert_exact(self) -> None:
        assert_exact(self.kafka.bootstrap, self.clickhouse, self.app)

    def surplus(self) -> int:
        """How many events the sums count too often."""
        found = stored(self.clickhouse, self.app)
        return found.hourly - found.unique_ids


class Kill(Harm):
    """Kills the newest sink at one chunk of each of its lives, in one window."""

    def __init__(self, rig: ExactRig, window: str, lives: int) -> None:
        self.lives = lives
        self._rig = rig
        self._window = window
        self._left = lives
        self._chunks: dict[int, int] = {}
        rig.kafka_proxy.before_intent = lambda: self._at("before the intent", drops=True)
        rig.kafka_proxy.after_intent = lambda: self._at("announced, the answer unheard", drops=True)

    def before(self, insert: Insert) -> None:
        if insert.table == EVENTS:
            self._at("announced, not inserted", drops=True)

    def after(self, insert: Insert) -> None:
        if insert.table == EVENTS:
            self._at("inserted, the answer unheard", drops=True)

    def answered(self, insert: Insert) -> None:
        if insert.table == EVENTS:
            self._at("inserted, not acknowledged", drops=False)

    def _at(self, window: str, *, drops: bool) -> None:
        if window != self._window:
            return
        process = self._rig.sinks[-1]
        self._chunks[process.pid] = self._chunks.get(process.pid, 0) + 1
        if self._chunks[process.pid] == MATURE and self._left:
            self._left -= 1
            process.kill()
        if drops and process.is_dead():
            raise Dropped(window)


class NoDeduplication(Kill):
    """The same kills, with deduplication switched off on the way."""

    def rewrite(self, path: str) -> str:
        switched = path.replace("deduplicate_insert=enable", "deduplicate_insert=disable")
        return switched.replace("insert_deduplicate=1", "insert_deduplicate=0")
