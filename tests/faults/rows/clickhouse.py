"""Rows of ClickHouse: away for minutes, and answers that get lost after the insert."""

from __future__ import annotations

import time

import psutil

from tests.faults.rig import ExactFaultRig, FaultRig
from tests.faults.row import Found, Row, seconds, times
from tests.faults.rows.kafka import wait_out
from tests.kafka import wait_until
from tests.proxy import Dropped, Harm, Insert

MB = 1024 * 1024
HELD_BYTES = 3 * 128 * MB  # the sink's buffer, and what its records take besides as objects


def down(rig: FaultRig, scale: float) -> Found:
    """kill -9 of ClickHouse under load, and nobody there for minutes."""
    length = seconds(scale, 300, 10)
    rig.start_path()
    sink = rig.sinks[0]
    process = psutil.Process(sink.pid)
    with rig.steady() as load:
        load.wait_accepted(1_000)
        before = process.memory_info().rss
        rig.clickhouse.kill()
        wait_out(rig, length)
        grown = process.memory_info().rss - before
        rig.clickhouse.start()
        started = time.monotonic()
        load.wait_all_devices()
    rig.wait_idle()
    caught_up = time.monotonic() - started
    wrong = []
    if sink.is_dead():
        wrong.append("the sink has ended")
    if (joined := sink.log_file.read_text().count("assigned")) != 1:
        wrong.append(f"the sink was assigned its partitions {joined} times")
    if grown > HELD_BYTES:
        wrong.append(f"the sink grew by {grown // MB} MB")
    grew = f"the sink grew by {grown // MB} MB"
    note = f"away for {length:.0f} s, {grew}, caught up {caught_up:.0f} s later"
    return Found(injected=1, wrong=wrong, note=note)


class CutAnswers(Harm):
    """ClickHouse has stored every third insert, and the sink never hears of it."""

    def __init__(self) -> None:
        self.cut = 0

    def after(self, insert: Insert) -> None:
        if insert.number % 3 == 0:
            self.cut += 1
            raise Dropped("the answer is lost")


def answers_lost(rig: ExactFaultRig, scale: float) -> Found:
    goal = times(scale, 300, 5)
    rig.start("one", chunk_rows=2_000)  # many inserts by age: small chunks would fall behind
    rig.start_gateway().wait_until_ready()
    rig.proxy.harm = harm = CutAnswers()
    with rig.steady() as load:
        load.wait_accepted(200)
        wait_until(lambda: harm.cut >= goal, 300, f"{goal} lost answers")
    rig.proxy.harm = Harm()
    wrong = ["the sink has ended"] if rig.sinks[0].is_dead() else []
    return Found(injected=harm.cut, wrong=wrong)


ROWS = [
    Row(
        number=12,
        title="ClickHouse down",
        fault="ClickHouse is killed and stays away for minutes under load: the sink stays in its "
        "group within its memory, and catches up.",
        run=down,
        seconds=340,
    ),
    Row(
        number=14,
        title="insert committed, answer lost",
        fault="Every third insert is stored and its answer lost: the sink repeats it under the "
        "same token, and nothing is stored twice.",
        run=answers_lost,
        is_exact=True,
        seconds=120,
        short=0.02,
    ),
]
