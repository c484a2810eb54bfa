"""What a fault server does to the POSTs of an SDK: a script, or dice. Pure.

A script is steps one after another, `KIND[:NUMBER][*TIMES]` with commas between them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from msgspec import Struct

Kind = Literal["ok", "slow", "429", "503", "413", "401", "cut", "refuse", "reject"]

DEFAULTS: dict[Kind, int] = {"slow": 2, "429": 5, "503": 5, "401": 20, "refuse": 5}
LASTING = ("401", "refuse")  # their number is how long they last, not how often
DEFAULT_SCRIPT = "ok*2,503*3,413*6,cut*5,ok,reject*2,429*2,slow,refuse,401,ok"
_STEP = re.compile(r"(?P<kind>[a-z0-9]+)(:(?P<number>\d{1,7}))?(\*(?P<times>\d{1,5}))?")


class BadScript(Exception):
    """This is no script; the text says why."""


class Step(Struct, frozen=True):
    """One thing that happens to `times` POSTs, or for `number` seconds.

    slow: seconds to the answer; 429, 503: seconds of Retry-After, 0 without one; 413: bytes above
    which a POST is too large, 0: more than one event is; 401, refuse: seconds.
    """

    kind: Kind
    number: int = 0
    times: int = 1


OK = Step("ok")


def parse_script(text: str) -> list[Step]:
    """Raises BadScript."""
    return [_step(part.strip()) for part in text.split(",")]


def _step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    kinds = get_args(Kind)
    kind = next((one for one in kinds if found and one == found["kind"]), None)
    if found is None or kind is None:
        raise BadScript(f"{text!r} is no step; one is 503:5*3, kinds are {' '.join(kinds)}")
    if kind in LASTING and found["times"]:
        raise BadScript(f"{text!r} lasts seconds; write {kind}:{DEFAULTS[kind]}")
    number = int(found["number"]) if found["number"] else DEFAULTS.get(kind, 0)
    return Step(kind, number, int(found["times"] or 1))


def random_steps(chance: random.Random) -> Iterator[Step]:
    """Faults without end, a few good answers after each."""
    kinds: list[Kind] = [one for one in get_args(Kind) if one != "ok"]
    while True:
        kind = chance.choice(kinds)
        number = chance.randint(1, 8) if kind in DEFAULTS else 0
        times = 1 if kind in LASTING else chance.randint(1, 5)
        yield Step(kind, number, times)
        yield Step("ok", 0, chance.randint(1, 3))


class Player:
    """Says for each POST what happens to it; when the steps are used up all is well."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = iter(steps)
        self._step = OK
        self._left = 0  # POSTs
        self._until = 0.0  # seconds of the server's clock

    def next(self, now: float) -> Step:
        """The step that a POST meets that arrives `now`."""
        if self._left == 0 and now >= self._until:
            self._step = next(self._steps, OK)
            if self._step.kind == "401":
                self._until = now + self._step.number
                return self._step
            self._left = self._step.times
        self._left = max(0, self._left - 1)
        return self._step
