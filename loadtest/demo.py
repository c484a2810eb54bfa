"""The demo's second half: a fleet and a real SDK post, then the account and the answers."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.account import Account, read_stored
from loadtest.devices import fleet
from loadtest.fleet import run_fleet
from loadtest.ledger import Ledger
from loadtest.report import show_account, show_answers, show_findings
from loadtest.segment_sdk import run_segment
from loadtest.verify import compare, read_rows
from sinks.clickhouse.sql import AsyncClient, Server, connect

SETTLE_SECONDS = 40.0
POLL_SECONDS = 0.3
HISTORY_DAYS = 7
SEGMENT_ROUNDS = 5


class DemoOptions(Struct, frozen=True, kw_only=True):
    gateway_url: str
    write_key: str
    clickhouse: Server
    app: str
    devices: int
    seconds: float
    seed: int


async def run_demo(options: DemoOptions, ledger: Ledger, console: Console) -> bool:
    """Play, wait, show; True when the account closes and every event is where it should be."""
    client = await connect(options.clickhouse)
    try:
        last = datetime.now(UTC).date()
        first = last - timedelta(days=HISTORY_DAYS)
        before = await read_stored(client, options.app, first, last)
        await _play(options, ledger, console)
        with console.status("waiting until everything accepted can be queried"):
            await _settle(client, options, ledger, before.stored + before.dead_lettered, first)
        last = datetime.now(UTC).date()
        stored = await read_stored(client, options.app, first, last)
        account = Account(promised=ledger.totals(), stored=stored.since(before))
        findings = compare(ledger, await read_rows(client, options.app, ledger))
        show_account(console, account)
        show_findings(console, findings)
        device = _liveliest(ledger)
        await show_answers(console, client, options.app, device, first, last)
    finally:
        await client.close()
    return account.is_closed and findings.is_clean


async def _play(options: DemoOptions, ledger: Ledger, console: Console) -> None:
    now_ms = time.time_ns() // 1_000_000
    phones = fleet(options.seed, options.devices, now_ms)
    total = sum(len(post.events) * (1 + post.reply_is_lost) for phone in phones for post in phone)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{options.devices} phones and one real SDK post", total=total)
        segment = asyncio.create_task(
            asyncio.to_thread(
                run_segment, options.gateway_url, options.write_key, SEGMENT_ROUNDS, ledger
            )
        )
        await run_fleet(
            options.gateway_url,
            options.write_key,
            phones,
            options.seconds,
            ledger,
            lambda count: progress.advance(task, count),
        )
        await segment


async def _settle(
    client: AsyncClient, options: DemoOptions, ledger: Ledger, before: int, first: date
) -> None:
    """Until every accepted event has its row, or the time is up: the account tells which."""
    wanted = before + sum(len(ids) for ids in ledger.accepted_ids().values())
    rejected = ledger.totals().rejected
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        last = datetime.now(UTC).date()
        stored = await read_stored(client, options.app, first, last)
        is_stored = stored.stored + stored.dead_lettered >= wanted
        if is_stored and stored.rejected_at_the_door >= rejected:
            return
        await asyncio.sleep(POLL_SECONDS)


def _liveliest(ledger: Ledger) -> str:
    """The device with the most events: its timeline is worth a look."""
    counts: dict[str, int] = {}
    for entry in ledger.entries:
        counts[entry.device_id] = counts.get(entry.device_id, 0) + 1
    return max(counts, key=lambda device: counts[device])
