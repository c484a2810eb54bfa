"""`telemetry-loadtest verify`: a ledger of any size, cut into files by device, then judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from msgspec import Struct
from rich.progress import Progress

from loadtest.buckets import Buckets
from loadtest.compare import Seen
from loadtest.ledger import Entry
from loadtest.ledger_file import read_entries
from loadtest.stored import count_rows
from loadtest.topic import open_topic
from loadtest.verify import Findings, check_shares, shares_needed
from sinks.clickhouse.sql import AsyncClient

LINE_BYTES = 150  # of a ledger, about: tells how many entries there are before they are read

_seen = msgspec.json.Decoder(Seen)
_entry = msgspec.json.Decoder(Entry)
_encoder = msgspec.json.Encoder()


class Checked(Struct, frozen=True, kw_only=True):
    """Which ledger is checked. `bootstrap` is empty where Kafka is not to be read."""

    app: str
    ledger: Path
    bootstrap: str
    security: dict[str, Any]
    patience_seconds: float


async def verify_file(client: AsyncClient, checked: Checked, progress: Progress) -> Findings:
    """Read the ledger and Kafka once, then judge share by share.

    Files of about their size lie beside the ledger meanwhile. Raises OSError and
    msgspec.DecodeError for the ledger, KafkaUnreachable, Unreachable, ClickHouseError.
    """
    size = checked.ledger.stat().st_size
    count = shares_needed(size // LINE_BYTES, await count_rows(client, checked.app))
    with TemporaryDirectory(prefix=".verify-", dir=checked.ledger.parent) as folder:
        ledger = Buckets(Path(folder), "ledger", count)
        _cut_ledger(checked.ledger, size, ledger, progress)
        kafka = None
        if checked.bootstrap:
            kafka = Buckets(Path(folder), "kafka", count)
            await _cut_topic(checked, kafka, progress)
        task = progress.add_task("comparing", total=count)
        return await check_shares(
            client,
            checked.app,
            _FileShares(count, ledger, kafka),
            checked.patience_seconds,
            lambda: progress.advance(task),
        )


def _cut_ledger(path: Path, size: int, buckets: Buckets, progress: Progress) -> None:
    task = progress.add_task("reading the ledger", total=size)
    for entry, line in read_entries(path, lambda count: progress.advance(task, count)):
        buckets.add(entry.device_id, line)
    buckets.flush()


async def _cut_topic(checked: Checked, buckets: Buckets, progress: Progress) -> None:
    async with open_topic(checked.bootstrap, checked.security) as topic:
        task = progress.add_task("reading Kafka", total=topic.size.records)
        async for seen in topic.read(checked.app, lambda count: progress.advance(task, count)):
            buckets.add(seen.device_id, _encoder.encode(seen) + b"\n")
    buckets.flush()


class _FileShares:
    """The shares of a ledger, and of what Kafka holds, that lie in files."""

    def __init__(self, count: int, ledger: Buckets, kafka: Buckets | None) -> None:
        self.count = count
        self._ledger = ledger
        self._kafka = kafka

    def entries(self, number: int) -> Iterator[Entry]:
        return map(_entry.decode, self._ledger.lines(number))

    def records(self, number: int) -> Iterator[Seen] | None:
        return None if self._kafka is None else map(_seen.decode, self._kafka.lines(number))
