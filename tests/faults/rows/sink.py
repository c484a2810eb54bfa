"""Rows of the sink: killed in each window, frozen and thawed, rebalanced, fed with poison."""

from __future__ import annotations

import random

from tests.e2e.exact_rig import WINDOWS, Kill, NoDeduplication
from tests.e2e.zombie import freeze_and_thaw
from tests.faults.rig import ExactFaultRig, FaultRig
from tests.faults.row import Control, Found, Row, times
from tests.kafka import wait_until
from tests.proxy import Harm

ENOUGH_FOR_A_ZOMBIE = 2_000  # events, in chunks of 20
POISON_PARTITIONS = 12
FLOOD = 150  # dead letters in a row; the brake bites at 100


def killed_in_windows(rig: ExactFaultRig, scale: float) -> Found:
    """kill -9 at a chunk of each life, in each window around its insert in turn."""
    kills = times(scale, 10)
    rig.start_gateway().wait_until_ready()
    with rig.steady(pause_seconds=0.1):
        for window in WINDOWS:
            rig.proxy.harm = Kill(rig, window, lives=kills)
            _die(rig, kills, window)
        _live_on(rig)
    return Found(injected=kills * len(WINDOWS), note=f"windows: {', '.join(WINDOWS)}")


def killed_without_deduplication(rig: ExactFaultRig, scale: float) -> Found:
    kills = times(scale, 6, 3)
    _take_up(rig)
    with rig.steady(pause_seconds=0.1):
        rig.proxy.harm = NoDeduplication(rig, "inserted, the answer unheard", lives=kills)
        _die(rig, kills, "deduplication switched off")
        _live_on(rig)
    return Found(injected=kills)


def _die(rig: ExactFaultRig, kills: int, window: str) -> None:
    for number in range(1, kills + 1):
        rig.say(f"kill {number} of {kills}: {window}")
        wait_until(rig.start_life(len(rig.sinks)).is_dead, 120, "the sink's death")


def _live_on(rig: ExactFaultRig) -> None:
    rig.proxy.harm = Harm()
    rig.kafka_proxy.before_intent = rig.kafka_proxy.after_intent = lambda: None
    rig.start("one", chunk_rows=1000)


def _take_up(rig: ExactFaultRig) -> None:
    """What other rows left in the log of these engines, and a gateway."""
    rig.start("one", chunk_rows=1000)
    rig.wait_idle()
    rig.sinks[-1].stop()
    rig.start_gateway().wait_until_ready()


def zombies(rig: ExactFaultRig, scale: float) -> Found:
    """Frozen with its next intent unsent, thawed when its successor has finished and left."""
    rig.start_gateway().wait_until_ready()
    return _zombies(rig, times(scale, 5), "sinks")


def zombies_with_plain_commits(rig: ExactFaultRig, scale: float) -> Found:
    _take_up(rig)
    return _zombies(rig, times(scale, 2), "tests.e2e.plain_commit_sink")


def _zombies(rig: ExactFaultRig, rounds: int, module: str) -> Found:
    for number in range(1, rounds + 1):
        rig.say(f"zombie {number} of {rounds}")
        with rig.steady(pause_seconds=0.02) as load:
            load.wait_accepted(ENOUGH_FOR_A_ZOMBIE)
        freeze_and_thaw(rig, module)
        rig.wait_idle()
        for process in rig.sinks:
            if not process.is_dead():
                process.kill()
        rig.proxy.harm = Harm()
    rig.start()
    return Found(injected=rounds)


def rebalance_storm(rig: FaultRig, scale: float) -> Found:
    """A second sink joins and leaves, by SIGTERM and by kill -9 in turn."""
    visits = times(scale, 20, 2)
    rig.start_path()
    steady = rig.sinks[0]
    with rig.steady() as load:
        for number in range(1, visits + 1):
            rig.say(f"visit {number} of {visits}")
            visitor = rig.start_sink()
            visitor.wait_ready()
            load.wait_accepted(1_000)
            if number % 2:
                visitor.stop()
            else:
                visitor.kill()
            load.wait_accepted(1_000)
    rig.sinks.append(rig.sinks.pop(0))  # the one that stayed is the one that goes on
    wrong = ["the sink that stayed has ended"] if steady.is_dead() else []
    return Found(injected=2 * visits, wrong=wrong)


def poison(rig: FaultRig, scale: float) -> Found:
    """Records that can never be stored, between good ones, in every partition."""
    rounds = times(scale, 5)
    wrong: list[str] = []
    rig.start_path()
    with rig.steady() as load:
        for number in range(1, rounds + 1):
            rig.say(f"round {number} of {rounds}")
            for partition in range(POISON_PARTITIONS):
                offsets = rig.send(_poison(rig), partition)
                load.wait_accepted(20)
                if partition == 0:
                    wait_until(lambda at=offsets: len(rig.letters(0, at)) >= 4, 60, "dead letters")  # type: ignore[misc]
                    if len(rig.letters(0, offsets)) != 4:
                        wrong.append("a record has more than one dead letter")
    sent = rounds * POISON_PARTITIONS * 4
    rig.wait_idle()
    wait_until(lambda: rig.sink_letters() >= sent, 60, "the rows of all dead letters")
    if rig.sink_letters() != sent:
        wrong.append(f"{rig.sink_letters()} dead letters of {sent} records")
    if rig.sinks[0].is_dead():
        wrong.append("the sink has stopped")
    return Found(injected=sent, wrong=wrong)


def _poison(rig: FaultRig) -> list[bytes]:
    """Each of them of this app: a key said twice, a NUL, wrong types, bytes that are no UTF-8."""
    return [
        rig.record()[:-1] + b', "app_version": "twice"}',
        rig.record(sequence=-1),
        rig.record(event_id="no-uuid"),
        rig.record(occurred_at="yesterday"),
    ]


def poison_flood(rig: FaultRig, scale: float) -> Found:
    """More poison in a row than the brake allows, then an operator who lets it pass."""
    rounds = times(scale, 5)
    wrong: list[str] = []
    rig.start_path()
    with rig.steady() as load:
        for number in range(1, rounds + 1):
            rig.say(f"flood {number} of {rounds}")
            load.wait_accepted(500)
            before = rig.sink_letters()
            partition = random.randrange(POISON_PARTITIONS)
            offsets = rig.send([rig.record(sequence=-1) for _ in range(FLOOD)], partition)
            code = rig.sinks[-1].popen.wait(120)
            written = len(rig.letters(partition, offsets))
            if code != 1 or written:
                wrong.append(f"exit code {code}, {written} dead letters written before")
            rig.start_sink(brake_dead_letters=FLOOD + 1)
            goal = before + FLOOD
            wait_until(lambda goal=goal: rig.sink_letters() >= goal, 120, "the flood's letters")  # type: ignore[misc]
            rig.sinks[-1].stop()
            rig.start_sink()
    return Found(injected=rounds * FLOOD, wrong=wrong)


ROWS = [
    Row(
        number=13,
        title="sink kill -9 in each window",
        fault="The sink is killed before its intent, with the intent unheard, before its insert, "
        "with the insert unheard and before it acknowledges; each event is stored once.",
        run=killed_in_windows,
        is_exact=True,
        control=Control(
            says="a proxy that switches ClickHouse's deduplication off",
            run=killed_without_deduplication,
            must="duplicated",
            is_spoiling=True,
        ),
        seconds=550,
    ),
    Row(
        number=15,
        title="zombie sink",
        fault="A sink is frozen before an intent and thawed after its successor has finished and "
        "left: its stale commit is refused, and it stores nothing twice.",
        run=zombies,
        is_exact=True,
        control=Control(
            says="a sink with aiokafka's own commit()",
            run=zombies_with_plain_commits,
            must="duplicated",
            is_spoiling=True,
        ),
        seconds=150,
    ),
    Row(
        number=16,
        title="rebalance storm",
        fault="A second sink joins and leaves every few seconds, drained or killed; rows go on "
        "arriving, each once.",
        run=rebalance_storm,
        seconds=200,
        short=0.1,
    ),
    Row(
        number=17,
        title="poison records",
        fault="Records that can never be stored lie between good ones in every partition: one "
        "dead letter each, and the offsets move on.",
        run=poison,
        seconds=60,
    ),
    Row(
        number=18,
        title="dead-letter flood",
        fault="150 poison records in a row stop the sink before the first dead letter is written; "
        "an operator who raises the brake lets them pass.",
        run=poison_flood,
        seconds=90,
    ),
]
