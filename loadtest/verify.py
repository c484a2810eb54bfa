"""The ledger against ClickHouse, event by event: lost, stored twice, out of order, never sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import islice, pairwise

from msgspec import Struct

from loadtest.ledger import Entry, Ledger
from sinks.clickhouse.sql import AsyncClient, Unreachable

NAMES_PER_QUERY = 500  # devices or events
POLL_SECONDS = 0.5
QUERY_SECONDS = 60.0

Stored = Mapping[str, "StoredRow"]  # by event id


class StoredRow(Struct, frozen=True, gc=False):
    """One row, as far as the ledger knows of it."""

    device_id: str
    event_id: str
    sequence: int
    partition: int
    offset: int


class Findings(Struct, frozen=True, kw_only=True):
    """What verify found. The lists name events, `out_of_order` names devices."""

    lost: list[str]  # accepted, and neither stored nor put aside
    stored_twice: list[str]
    out_of_order: list[str]
    never_sent: list[str]  # stored, though never sent, or sent and turned away
    dead_lettered: list[str]  # accepted, and put aside by the sink: explained, hence not wrong

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.stored_twice or self.out_of_order or self.never_sent)


def compare(ledger: Ledger, rows: Iterable[StoredRow], dead: frozenset[str]) -> Findings:
    """Judge all rows of the ledger's devices; `dead` are the events that a sink put aside."""
    stored: dict[str, dict[str, StoredRow]] = {}
    twice: list[str] = []
    for row in sorted(rows, key=lambda row: row.offset):
        device = stored.setdefault(row.device_id, {})
        if row.event_id in device:
            twice.append(row.event_id)
        device.setdefault(row.event_id, row)
    accepted = ledger.accepted()
    missing = [
        one.event_id
        for device_id, events in accepted.items()
        for one in events
        if one.event_id not in stored.get(device_id, {})
    ]
    return Findings(
        lost=[one for one in missing if one not in dead],
        stored_twice=sorted(set(twice)),
        out_of_order=[
            device_id
            for device_id, events in accepted.items()
            if not _is_in_order(events, stored.get(device_id, {}))
        ],
        never_sent=_unexpected(ledger, stored),
        dead_lettered=[one for one in missing if one in dead],
    )


def _is_in_order(events: Sequence[Entry], stored: Stored) -> bool:
    """Acknowledged one after another means: in one partition, at rising offsets; and what the
    phone counted rises with them."""
    rows = [stored[one.event_id] for one in events if one.event_id in stored]
    counted = [row.sequence for row in rows if row.sequence]
    return (
        len({row.partition for row in rows}) <= 1
        and all(one.offset < later.offset for one, later in pairwise(rows))
        and all(one < later for one, later in pairwise(counted))
    )


def _unexpected(ledger: Ledger, stored: Mapping[str, Stored]) -> list[str]:
    """Stored events that no try could have brought there."""
    possible = {
        (one.device_id, one.event_id)
        for one in ledger.entries
        if one.outcome not in ("rejected", "refused")
    }
    return [
        event_id
        for device_id, rows in stored.items()
        for event_id in rows
        if (device_id, event_id) not in possible
    ]


async def check(client: AsyncClient, app: str, ledger: Ledger, patience_seconds: float) -> Findings:
    """Ask ClickHouse, and again until nothing is lost or `patience_seconds` have passed.

    Raises Unreachable, ClickHouseError.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        rows = await _rows(client, app, ledger)
        findings = compare(ledger, rows, frozenset())
        if findings.lost:
            findings = compare(ledger, rows, await _dead(client, app, findings.lost))
        if not findings.lost or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(POLL_SECONDS)


async def _rows(client: AsyncClient, app: str, ledger: Ledger) -> list[StoredRow]:
    devices = sorted({one.device_id for one in ledger.entries})
    found = await _ask(client, "stored_events", app, "devices", devices)
    return [
        StoredRow(str(device), str(event), int(sequence), int(partition), int(offset))
        for device, event, sequence, partition, offset in found
    ]


async def _dead(client: AsyncClient, app: str, event_ids: Sequence[str]) -> frozenset[str]:
    found = await _ask(client, "dead_letters", app, "event_ids", event_ids)
    return frozenset(str(event_id) for (event_id,) in found)


async def _ask(
    client: AsyncClient, name: str, app: str, parameter: str, values: Sequence[str]
) -> list[Sequence[str | int]]:
    """The rows of `sql/name.sql`, asked for some values at a time."""
    sql = (files("loadtest") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    rows: list[Sequence[str | int]] = []
    for some in _batches(values):
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                answer = await client.query(sql, parameters={"app": app, parameter: some})
        except TimeoutError:
            raise Unreachable(f"no answer within {QUERY_SECONDS:g} s") from None
        rows += answer.result_rows
    return rows


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, NAMES_PER_QUERY)):
        yield batch
