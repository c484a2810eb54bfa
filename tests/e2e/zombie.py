"""The one fault that random kills never find: an owner frozen before an intent, thawed after its
successor has finished and left."""

from __future__ import annotations

from tests.e2e.exact_rig import EVENTS, ExactRig
from tests.exactness import produce
from tests.kafka import wait_until
from tests.processes import Process
from tests.proxy import Harm, Insert

BEFORE_FREEZE = 6  # inserts
ENOUGH = 12  # inserts of a thawed owner that nothing has stopped


class Freeze(Harm):
    """Freezes the sink when one of its inserts has been answered: its next step is an intent."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._inserts = 0
        self.is_done = False

    def answered(self, insert: Insert) -> None:
        self._inserts += insert.table == EVENTS
        if self._inserts == BEFORE_FREEZE and not self.is_done:
            self._process.freeze()
            self.is_done = True


def wake_a_zombie(rig: ExactRig, module: str) -> None:
    """Both are sinks of `module`. Returns when the thawed one was fenced, or has gone on."""
    produce(rig.kafka.bootstrap, rig.app, seed=3, count=2000, poison=False)
    freeze_and_thaw(rig, module)


def freeze_and_thaw(rig: ExactRig, module: str) -> None:
    """The same, over a log that holds enough for it already. On a busy machine the thawed one may
    first be given its partitions anew; what it held until then is written or dropped by then."""
    zombie = rig.start(module=module, chunk_rows=20)
    rig.proxy.harm = freeze = Freeze(zombie)
    wait_until(lambda: freeze.is_done, 60, "the freeze")
    successor = rig.start(module=module)
    rig.wait_idle()
    assert successor.stop() == 0

    before = rig.proxy.inserts
    zombie.thaw()

    def has_gone_on() -> bool:
        log = zombie.log_file.read_text()
        is_back = log.count("assigned") > 1 and rig.is_idle()
        return "fenced" in log or is_back or rig.proxy.inserts > before + ENOUGH

    wait_until(has_gone_on, 60, "the thawed owner's next step")
