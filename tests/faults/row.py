"""What a row of the failure catalogue is, and what comes of running it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Variant(Struct, frozen=True):
    """How the gateway runs and how phones connect."""

    letter: str = "a"
    workers: int = 1
    is_connecting_anew: bool = False


KEEP_ALIVE = Variant()
TWO_WORKERS = Variant("b", workers=2, is_connecting_anew=True)


class Found(Struct, kw_only=True):
    """What a row's function reports beyond the ledger."""

    injected: int  # times
    wrong: list[str] = []  # what broke a promise, in words; the ledger's findings come on top
    note: str = ""
    acknowledged: int = 0  # events, where no ledger tells it


class Control(Struct, frozen=True, kw_only=True):
    """The same faults on a composition that breaks the promise: they must be found."""

    says: str  # what is broken
    run: Callable[..., Found]
    must: str  # the finding that must not be 0: lost, duplicated, inverted, wrong
    is_spoiling: bool = False  # it needs engines of its own


class Row(Struct, frozen=True, kw_only=True):
    """One row. Its functions take the rig and the scale: 1 is full volume."""

    number: int
    title: str
    fault: str  # a sentence: what is done, and what must hold
    run: Callable[..., Found]
    is_exact: bool = False  # needs the rig with proxies around the sink
    has_variants: bool = False
    control: Control | None = None
    seconds: float = 0.0  # at full volume, about
    short: float | None = None  # the scale in `make test`; None: it is tested there elsewhere

    def variants(self) -> list[Variant]:
        return [KEEP_ALIVE, *([TWO_WORKERS] if self.has_variants else [])]


def times(scale: float, full: float, least: int = 1) -> int:
    """A volume of `full` at full scale."""
    return max(least, round(full * scale))


def seconds(scale: float, full: float, least: float) -> float:
    return max(least, full * scale)
