"""A spool's log after an accident: what was not hit is drained in its order, and nothing raises."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

from gateway.contract.record import Run
from gateway.publish.spool.entry import decode, encode
from gateway.publish.spool.lane_log import LaneLog
from tests.fuzz import inputs
from tests.fuzz.targets import Violation

TOPIC = "app-events"


class SpoolLog:
    """Logs of one folder, one after another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def read(self, dice: Random) -> str:
        """What was drained of a log: `whole`, or `damaged` where some of it was put aside or cut
        off. Raises Violation."""
        texts = [f"{number}{'x' * dice.randrange(60)}" for number in range(dice.randrange(1, 7))]
        entries = [encode([Run(TOPIC, b"device", [text.encode()])], 1) for text in texts]
        hit = {one for one in range(len(entries)) if dice.random() < 0.2}
        data = b"".join(
            inputs.mutated(dice, entry, (b"\xf5SP" * 9,), (b"\xf5SPL", b"\0" * 20))
            if number in hit
            else entry
            for number, entry in enumerate(entries)
        )
        self._check(data, [text for number, text in enumerate(texts) if number not in hit])
        return "damaged" if hit else "whole"

    def _check(self, data: bytes, spared: list[str]) -> None:
        number = next(self._numbers)
        folder = self._folder / str(number % 50)  # a crowd of files costs more than they do
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{0:020}.log").write_bytes(data)
        log = LaneLog(folder, self._folder / "quarantine")
        log.adopt()
        drained: list[str] = []
        while log.left:
            found, size = log.read()
            log.drained(size)
            whole = [decode(TOPIC, one.body) for one in found if one.body is not None]
            drained += [one.values[0].decode() for records in whole for one in records]
        if [one for one in drained if one in spared] != spared:
            raise Violation(f"of {spared} there came {drained}")
        if list(folder.glob("*.log")):
            raise Violation("a drained log is still there")
