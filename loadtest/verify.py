"""The check: the ledger against Kafka and ClickHouse, event by event.

Devices are judged a share at a time, so that ledgers of any size fit into the memory of one share;
whatever is read is read once, or once more while ClickHouse still lacks something.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from loadtest.buckets import bucket_of
from loadtest.compare import Place, Seen, Told, judge
from loadtest.ledger import Entry, Ledger
from loadtest.stored import Share, count_rows, put_aside, stored_rows
from sinks.clickhouse.sql import AsyncClient

SHARE_EVENTS = 100_000  # aimed at; a share holds whole devices
POLL_SECONDS = 0.5


class Findings(Struct, kw_only=True):
    """What the check found. `kafka` is None where Kafka was not read."""

    accepted: int = 0  # events, each counted once
    clickhouse: Place
    kafka: Place | None = None

    @property
    def is_clean(self) -> bool:
        return self.clickhouse.is_clean and (self.kafka is None or self.kafka.is_clean)


class Shares(Protocol):
    """A ledger, and what was read of Kafka, cut by device; see `loadtest.buckets`."""

    @property
    def count(self) -> int:
        """How many shares there are."""

    def entries(self, number: int) -> Iterable[Entry]:
        """A share's entries in the ledger's order."""

    def records(self, number: int) -> Iterable[Seen] | None:
        """A share's records, by rising offset in each partition; None: Kafka was not read."""


def shares_needed(events: int, rows: int) -> int:
    """How many shares keep both the ledger's `events` and ClickHouse's `rows` bounded."""
    return max(events, rows) // SHARE_EVENTS + 1


async def check(client: AsyncClient, app: str, ledger: Ledger, patience_seconds: float) -> Findings:
    """A ledger in memory against ClickHouse. Raises Unreachable, ClickHouseError."""
    rows = await count_rows(client, app)
    shares = _MemoryShares(ledger.entries, shares_needed(len(ledger.entries), rows))
    return await check_shares(client, app, shares, patience_seconds)


async def check_shares(
    client: AsyncClient,
    app: str,
    shares: Shares,
    patience_seconds: float,
    on_share: Callable[[], None] = lambda: None,
) -> Findings:
    """Judge every share. What ClickHouse lacks it is asked for again until `patience_seconds`
    have passed in all. Raises Unreachable, ClickHouseError."""
    deadline = time.monotonic() + patience_seconds
    findings = Findings(clickhouse=Place.clean())
    for number in range(shares.count):
        told = Told(shares.entries(number))
        findings.accepted += told.accepted_events()
        records = shares.records(number)
        if records is not None:
            findings.kafka = findings.kafka or Place.clean()
            findings.kafka.merge(judge(told, records, copies_are_wrong=False))
        if told.devices:
            share = Share(number, shares.count, told.devices)
            findings.clickhouse.merge(await _stored(client, app, told, share, deadline))
        on_share()
    return findings


async def _stored(
    client: AsyncClient, app: str, told: Told, share: Share, deadline: float
) -> Place:
    while True:
        began = time.monotonic()
        rows = await stored_rows(client, app, share)
        missing = told.missing(rows)
        aside = await put_aside(client, app, missing)
        place = judge(told, rows, copies_are_wrong=True, put_aside=aside)
        if not place.lost.count or time.monotonic() > deadline:
            return place
        took = time.monotonic() - began
        await asyncio.sleep(max(POLL_SECONDS, took))  # asking takes half of the time at most


class _MemoryShares:
    """The shares of entries that are in memory."""

    def __init__(self, entries: Sequence[Entry], count: int) -> None:
        self._shares: list[list[Entry]] = [[] for _ in range(count)]
        for one in entries:
            self._shares[bucket_of(one.device_id, count)].append(one)

    @property
    def count(self) -> int:
        return len(self._shares)

    def entries(self, number: int) -> Iterator[Entry]:
        return iter(self._shares[number])

    def records(self, _: int) -> None:
        return None
