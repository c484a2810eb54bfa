"""The ledger against ClickHouse: lost, stored twice, out of order, or never sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import islice

from msgspec import Struct

from loadtest.ledger import Ledger
from sinks.clickhouse.sql import AsyncClient

DEVICES_PER_QUERY = 500


class StoredRow(Struct, frozen=True):
    """One row, as far as the ledger knows of it."""

    device_id: str
    event_id: str
    sequence: int
    partition: int
    offset: int


class Findings(Struct, frozen=True, kw_only=True):
    """What is wrong. Each list names events, `out_of_order` names devices."""

    lost: list[str]
    stored_twice: list[str]
    out_of_order: list[str]
    never_sent: list[str]

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.stored_twice or self.out_of_order or self.never_sent)


def compare(ledger: Ledger, rows: Sequence[StoredRow]) -> Findings:
    """Judge `rows`, which lie in each partition's order."""
    accepted = ledger.accepted_ids()
    sent = {(one.device_id, one.event_id) for one in ledger.entries}
    stored: dict[str, dict[str, StoredRow]] = {}
    twice: list[str] = []
    for row in rows:
        device = stored.setdefault(row.device_id, {})
        if row.event_id in device:
            twice.append(row.event_id)
        device.setdefault(row.event_id, row)
    lost = [
        event_id
        for device, ids in accepted.items()
        for event_id in ids
        if event_id not in stored.get(device, {})
    ]
    never = [row.event_id for row in rows if (row.device_id, row.event_id) not in sent]
    disordered = [
        device for device, ids in accepted.items() if not _in_order(ids, stored.get(device, {}))
    ]
    return Findings(
        lost=lost, stored_twice=twice, out_of_order=disordered, never_sent=sorted(set(never))
    )


def _in_order(ids: Iterable[str], stored: dict[str, StoredRow]) -> bool:
    """Acknowledged one after another means: in one partition, at rising offsets."""
    rows = [stored[one] for one in ids if one in stored]
    if len({row.partition for row in rows}) > 1:
        return False
    offsets = [row.offset for row in rows]
    return offsets == sorted(offsets)


async def read_rows(client: AsyncClient, app: str, ledger: Ledger) -> list[StoredRow]:
    """The rows of the ledger's devices."""
    sql = (files("loadtest") / "sql" / "stored_events.sql").read_text(encoding="utf-8")
    rows: list[StoredRow] = []
    for devices in _batches(sorted({one.device_id for one in ledger.entries})):
        found = await client.query(sql, parameters={"app": app, "devices": devices})
        rows += [
            StoredRow(str(row[0]), str(row[1]), int(row[2]), int(row[3]), int(row[4]))
            for row in found.result_rows
        ]
    return rows


def _batches(devices: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(devices)
    while batch := list(islice(rest, DEVICES_PER_QUERY)):
        yield batch
