"""Records one by one, as tests make them and read them back."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gateway.contract.record import Run


class Record(Struct, frozen=True):
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] = []


def runs(records: Iterable[Record]) -> list[Run]:
    """Each record as a run of its own, for the publisher."""
    return [Run(one.topic, one.key, [one.value], one.headers) for one in records]


def of_runs(given: Iterable[Run]) -> list[Record]:
    """The records of runs, in their order."""
    return [Record(one.topic, one.key, value, one.headers) for one in given for value in one.values]
