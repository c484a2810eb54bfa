"""Rows of load: storms of retries, herds, and a long time."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil
from msgspec import Struct

from tests.faults.rig import FaultRig
from tests.faults.row import Found, Row, seconds, times
from tests.faults.rows.kafka import busiest, wait_out
from tests.faults.storm import Phase, Storm, build
from tests.kafka_proxy import KafkaProxy

CAPACITY = 8  # POSTs in flight; with ANSWER_DELAY it is what caps the gateway
ANSWER_DELAY_SECONDS = 0.1
EVENTS = 200
LEAST_GOODPUT = 0.9  # of the peak, at 10 times the load
MOST_COST = 0.25  # of turning a POST and its new connection away, in CPU of taking one
QUICK_SECONDS = "0.005"  # a bucket of the gateway's histogram
LEAST_QUICK = 0.9  # of those that are turned away
SAMPLE_SECONDS = 2.0
GROWTH = 1.10  # of memory in the last part of a soak
GROWTH_BYTES = 16_000_000
MORE_FDS = 10


def retry_storm(rig: FaultRig, scale: float) -> Found:
    """Clients without any patience offer 2, 5 and 10 times what the gateway may have in flight."""
    length = seconds(scale, 12, 4)
    clients = times(scale, 5_000, 100)
    rig.say("building bodies")
    posts = build(times(scale, 10_000, 1_300), EVENTS)  # one per client, and those that are taken
    proxy = KafkaProxy(rig.kafka.bootstrap)
    proxy.before_answer = lambda _: time.sleep(ANSWER_DELAY_SECONDS)
    rig.gateway_bootstrap = proxy.bootstrap
    try:
        rig.start_gateway(max_inflight_requests=CAPACITY, max_inflight_key_percent=100)
        rig.gateway.wait_until_ready()
        storm = Storm(rig.gateway.port, posts, rig.ledger)
        storm.run(CAPACITY, 0.0, 2.0)  # warm
        peak = _measured(rig, lambda: storm.run(CAPACITY, 0.0, length))
        phases: dict[int, Phase] = {}
        for factor in (2, 5, 10):
            rig.say(f"{factor} times the load")
            at_work = max(factor * CAPACITY, clients * factor // 10)
            interval = at_work / (factor * peak.goodput)
            phases[factor] = _measured(
                rig,
                lambda n=at_work, i=interval: storm.run(n, i, length),  # type: ignore[misc]
            )
        rig.gateway.kill()
        rig.gateway_bootstrap = rig.kafka.bootstrap
        rig.start_gateway()
    finally:
        proxy.close()
    return _verdict(peak, phases)


def _measured(rig: FaultRig, run: Callable[[], Phase]) -> Phase:
    """A phase, with the CPU seconds that the gateway took for it."""
    process = psutil.Process(rig.gateway.pid)
    before, quick = process.cpu_times(), _quick(rig)
    phase = run()
    after = process.cpu_times()
    phase.cpu_seconds = after.user + after.system - before.user - before.system
    phase.quick = _quick(rig) - quick
    return phase


def _quick(rig: FaultRig) -> int:
    return int(rig.metric("http_request_duration_seconds_bucket", le=QUICK_SECONDS) or 0)


def _verdict(peak: Phase, phases: dict[int, Phase]) -> Found:
    wrong: list[str] = []
    texts = [f"1x {peak.goodput:.0f}/s, {peak.goodput_per_cpu_second:.0f} per CPU second"]
    for factor, one in phases.items():
        texts.append(
            f"{factor}x {one.goodput:.0f}/s, {one.goodput_per_cpu_second:.0f} per CPU second, "
            f"{sum(one.statuses.values()) / one.seconds:.0f} tries/s"
        )
    worst = phases[10]
    taking = 1 / peak.goodput_per_cpu_second
    turning_away = (worst.cpu_seconds - worst.statuses[200] * taking) / max(1, worst.refused)
    quick = worst.quick / max(1, worst.refused)
    if worst.goodput < LEAST_GOODPUT * peak.goodput:
        wrong.append(f"goodput fell to {worst.goodput / peak.goodput:.0%}")
    if turning_away > MOST_COST * taking:
        wrong.append(f"turning a POST away costs {turning_away / taking:.0%} of taking it")
    if quick < LEAST_QUICK:
        wrong.append(f"only {quick:.0%} were turned away within {QUICK_SECONDS} s")
    note = f"POSTs of {EVENTS} events: {'; '.join(texts)}; CPU of taking one "
    note += f"{taking * 1000:.1f} ms, of turning one away {turning_away * 1000:.2f} ms"
    tries = sum(sum(one.statuses.values()) for one in phases.values())
    return Found(injected=tries, wrong=wrong, note=note)


def herd(rig: FaultRig, scale: float) -> Found:
    """All phones are turned away at once, and come back as Retry-After tells them."""
    outages = times(scale, 3)
    rig.start_sink()
    rig.start_gateway(spool_bytes=0, publish_timeout_seconds=2).wait_until_ready()
    wrong: list[str] = []
    ratios: list[float] = []
    phones = {"devices": times(scale, 600, 150), "pause_seconds": 2.0}
    with rig.steady(longest_wait_seconds=60.0, **phones) as load:
        for number in range(1, outages + 1):
            rig.say(f"outage {number} of {outages}")
            load.wait_all_devices()
            rig.kafka.pause_all()
            wait_out(rig, 6.0)
            rig.kafka.heal()
            rig.gateway.wait_until_ready()
            since, refused = len(load.acks), load.statuses[503]
            load.wait_all_devices()
            ratios.append(_peak_to_mean([one.at for one in load.acks[since:]]))
            if (again := load.statuses[503] - refused) > 0:
                wrong.append(f"{again} POSTs were turned away again afterwards")
    turned_away = load.statuses[503] + load.statuses[429]
    if len(load.waits) != turned_away:
        wrong.append(f"{turned_away - len(load.waits)} refusals without Retry-After")
    if len(set(load.waits)) < 5:
        wrong.append(f"Retry-After is not spread: {sorted(set(load.waits))}")
    note = f"{turned_away} turned away, Retry-After {min(load.waits)} to {max(load.waits)} s, "
    note += f"busiest second of the return {max(ratios):.1f} times the mean"
    return Found(injected=outages, wrong=wrong, note=note)


def _peak_to_mean(times_of: list[float]) -> float:
    per_second = Counter(int(one) for one in times_of)
    span = max(per_second) - min(per_second) + 1
    return max(per_second.values()) * span / len(times_of)


class Sample(Struct, frozen=True):
    """A process at one moment."""

    rss: int
    fds: int
    threads: int


class Watch:
    """Samples of one process, taken in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self.samples: list[Sample] = []
        self._faults_over = 0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            process = self._process
            self.samples.append(
                Sample(process.memory_info().rss, process.num_fds(), process.num_threads())
            )

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def faults_are_over(self) -> None:
        """From here on nothing may grow: what an outage piles up once is no leak."""
        self._faults_over = len(self.samples)

    @property
    def _calm(self) -> list[Sample]:
        return self.samples[self._faults_over :]

    def complaints(self, name: str) -> list[str]:
        """What grew between the second and the last fifth of the time after the faults."""
        calm = self._calm
        fifth = max(1, len(calm) // 5)
        early, late = calm[fifth : 2 * fifth], calm[-fifth:]
        before, after = (statistics.median(one.rss for one in part) for part in (early, late))
        found = []
        if after > max(before * GROWTH, before + GROWTH_BYTES):
            found.append(f"{name} grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB")
        for what in ("fds", "threads"):
            first, last = (max(getattr(one, what) for one in part) for part in (early, late))
            if last > first + MORE_FDS:
                found.append(f"{name} grew from {first} to {last} {what}")
        return found

    def says(self, name: str) -> str:
        calm = self._calm
        first, last = calm[len(calm) // 5], calm[-1]
        return f"{name} {first.rss / 1e6:.0f} to {last.rss / 1e6:.0f} MB, {last.fds} fds"


def soak(rig: FaultRig, scale: float) -> Found:
    """Load for a quarter of an hour; a gateway, a sink, a broker and ClickHouse killed in it."""
    part = seconds(scale, 900, 25) / 5
    rig.start_path()
    with rig.steady(devices=60, pause_seconds=0.25) as load:
        wait_out(rig, part / 3)
        rig.say("killing the gateway and the sink")
        rig.restart_gateway()
        rig.sinks[-1].kill()
        rig.start_sink()
        load.wait_all_devices()
        watched = {"gateway": Watch(rig.gateway.pid), "sink": Watch(rig.sinks[-1].pid)}
        try:
            wait_out(rig, part / 3)
            rig.say("killing a broker")
            rig.kafka.kill(busiest(rig))
            load.wait_all_devices()
            rig.kafka.heal()
            wait_out(rig, part / 3)
            rig.say("killing ClickHouse")
            rig.clickhouse.kill()
            rig.clickhouse.start()
            load.wait_all_devices()
            for one in watched.values():
                one.faults_are_over()
            wait_out(rig, 4 * part)
        finally:
            for one in watched.values():
                one.stop()
    wrong = [text for name, one in watched.items() for text in one.complaints(name)]
    left = {name: rig.metric(f"inflight_{name}") for name in ("requests", "bytes")}
    if any(left.values()):
        wrong.append(f"still in flight without load: {left}")
    note = "; ".join(one.says(name) for name, one in watched.items())
    return Found(injected=4, wrong=wrong, note=note)


ROWS = [
    Row(
        number=20,
        title="retry storm at 10 times capacity",
        fault="Thousands of clients without any patience offer ten times what the gateway may "
        "have in flight: it goes on taking nine tenths of what it took and more, and turning one "
        "away costs little of what taking one does.",
        run=retry_storm,
        seconds=200,
    ),
    Row(
        number=21,
        title="herd after an outage",
        fault="All phones are turned away at once and come back as Retry-After tells them: spread, "
        "and nobody is turned away a second time.",
        run=herd,
        seconds=150,
    ),
    Row(
        number=45,
        title="soak",
        fault="A quarter of an hour of load with gateway, sink, a broker and ClickHouse killed in "
        "it: memory, file descriptors and threads stay flat.",
        run=soak,
        seconds=960,
        short=0.02,
    ),
]
