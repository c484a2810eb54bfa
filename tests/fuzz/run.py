"""A run: so many inputs over all targets, each remade from the seed and its number."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random

from msgspec import Struct

from tests.fuzz import recorded, targets
from tests.fuzz.post import Post
from tests.fuzz.spool_log import SpoolLog

WEIGHTS = {"native": 38, "segment": 24, "encoded": 12, "head": 8, "wire": 15, "log": 3}  # percent
MAX_FAILURES = 20
_MAKERS: dict[str, Callable[[Random], Post]] = {
    "native": targets.native,
    "segment": targets.segment,
    "encoded": targets.encoded,
    "head": targets.head,
    **{f"recorded-{one}": partial(recorded.post_of, one) for one in recorded.SEEDS},
}
TARGETS = (*WEIGHTS, *(one for one in _MAKERS if one not in WEIGHTS))


def order_of(prefix: str) -> list[str]:
    """Which targets take turns: those of this prefix alike, or the mix by its weights."""
    if prefix:
        return [one for one in TARGETS if one.startswith(prefix)]
    mix = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
    return [mix[number * 37 % len(mix)] for number in range(len(mix))]


class Failure(Struct, frozen=True):
    target: str
    number: int
    text: str


class Summary(Struct):
    answers: dict[str, Counter[str]]
    failures: list[Failure]
    slowest: dict[str, float]  # seconds of CPU

    @property
    def inputs(self) -> int:
        return sum(one.total() for one in self.answers.values())


class Fuzz:
    """All targets over one application."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._application = targets.Application(folder)
        self._connection = targets.Connection(self._application)
        self._log = SpoolLog(folder / "logs")
        self.summary = Summary(
            {name: Counter() for name in TARGETS}, [], dict.fromkeys(TARGETS, 0.0)
        )

    async def run(
        self, inputs: int, seconds: float, progress: Callable[[Summary], None], prefix: str = ""
    ) -> Summary:
        """Until so many inputs, so many seconds, or too many failures. `progress` hears of it each
        thousand inputs."""
        end = time.monotonic() + seconds
        order = order_of(prefix)
        for number in range(inputs):
            await self.one(order[number % len(order)], number)
            if number % 1000 == 999:
                progress(self.summary)
                if time.monotonic() > end or len(self.summary.failures) >= MAX_FAILURES:
                    break
        return self.summary

    async def one(self, target: str, number: int) -> None:
        """One input, again and again the same."""
        dice = Random(f"{self._seed}:{target}:{number}")
        started = time.process_time()
        try:
            if target == "log":
                answer = self._log.read(dice)
            else:
                answer = await self._ask(target, dice)
            targets.check_cost(time.process_time() - started)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            answer = "violation" if isinstance(error, targets.Violation) else "crash"
            text = f"{type(error).__name__}: {error}"
            self.summary.failures.append(Failure(target, number, text))
        self.summary.answers[target][answer] += 1
        took = time.process_time() - started
        self.summary.slowest[target] = max(took, self.summary.slowest[target])

    def _ask(self, target: str, dice: Random) -> Awaitable[str]:
        if target == "wire":
            data = targets.wire(dice)
            return self._connection.ask(data, dice.randrange(len(data) + 1))
        return self._application.ask(_MAKERS[target](dice))
