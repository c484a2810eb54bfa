"""The demo: a fleet and a real SDK post, then the account, the check, and the analysts' answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from gateway.runtime import now_ms
from loadtest.account import Account, Books
from loadtest.client import NoReply, PhoneClient
from loadtest.devices import Post, fleet
from loadtest.fleet import Play, run_fleet
from loadtest.ledger import Ledger
from loadtest.questions import Scope, ask_all, show_answers
from loadtest.report import show_account, show_findings, show_reasons
from loadtest.segment_sdk import run_segment
from loadtest.verify import Findings, check
from sinks.clickhouse.sql import AsyncClient, Server, connect

POLL_SECONDS = 0.3
HISTORY_DAYS = 7
SEGMENT_SESSIONS = 5


class NotReady(Exception):
    """The gateway does not take events now; the text says why."""


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What the demo runs against, and how long."""

    gateway_url: str
    write_key: str
    clickhouse: Server
    app: str
    devices: int
    seconds: float
    seed: int
    patience_seconds: float  # for the last event to be stored


async def run_demo(options: DemoOptions, ledger: Ledger, console: Console) -> list[str]:
    """Play, wait, show. What is wrong, in words; nothing when every event is where it should be.

    Nobody else may post to the app meanwhile. Raises BadUrl, NotReady, Unreachable,
    ClickHouseError.
    """
    await _check_gateway(options)
    client = await connect(options.clickhouse)
    try:
        books = await Books.open(client, options.app)
        phones = fleet(options.seed, options.devices, now_ms())
        await _play(options, phones, ledger, console)
        account, findings = await _settle(options, client, books, ledger, console)
        show_account(console, account)
        show_reasons(console, ledger)
        show_findings(console, findings)
        today = datetime.now(UTC).date()
        first, device = today - timedelta(days=HISTORY_DAYS), _most_telling(phones)
        scope = Scope(app=options.app, device=device, first=first, last=today)
        show_answers(console, await ask_all(client, scope))
    finally:
        await client.close()
    return _wrong(account, findings, ledger)


async def _check_gateway(options: DemoOptions) -> None:
    client = PhoneClient(options.gateway_url, options.write_key)
    try:
        reply = await client.get("/readyz")
    except NoReply as error:
        raise NotReady(f"no gateway answers at {options.gateway_url}: {error}") from None
    finally:
        await client.close()
    if reply.status != 200:
        reasons = reply.body[:500].decode("utf-8", "replace").strip()
        raise NotReady(f"the gateway at {options.gateway_url} is not ready: {reasons}")


async def _play(
    options: DemoOptions, phones: Sequence[Sequence[Post]], ledger: Ledger, console: Console
) -> None:
    play = Play(url=options.gateway_url, write_key=options.write_key, seconds=options.seconds)
    total = sum(len(post.events) * (1 + post.reply_is_lost) for phone in phones for post in phone)
    columns = (
        TextColumn(f"{options.devices:,} phones and one real SDK post"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        _Speed(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)
        sdk = asyncio.create_task(
            asyncio.to_thread(run_segment, options.gateway_url, options.write_key, SEGMENT_SESSIONS)
        )
        await run_fleet(play, phones, ledger, lambda count: progress.advance(task, count))
        ledger.add(await sdk)


class _Speed(ProgressColumn):
    """Events that got their final answer, per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} acks/s", style="progress.data.speed")


async def _settle(
    options: DemoOptions, client: AsyncClient, books: Books, ledger: Ledger, console: Console
) -> tuple[Account, Findings]:
    """Wait until the account closes and nothing is lost, or until patience is at its end."""
    deadline = time.monotonic() + options.patience_seconds
    with console.status("waiting until everything accepted can be queried") as status:
        while True:
            account = await books.account(ledger)
            if account.is_closed or time.monotonic() > deadline:
                break
            kept, accepted = account.kept, account.promised.accepted
            status.update(f"{kept:,} of {accepted:,} accepted events are in ClickHouse")
            await asyncio.sleep(POLL_SECONDS)
        left = deadline - time.monotonic()
        return account, await check(client, options.app, ledger, left)


def _most_telling(phones: Sequence[Sequence[Post]]) -> str:
    """The phone whose last POSTs tell a crash, best of a release it has left since; of several
    the one that did most."""

    def interest(phone: Sequence[Post]) -> tuple[bool, bool, int]:
        last = phone[-1]
        crashes = [one for one in last.events if one.get("type") == "app_crash"]
        has_updated = any(
            one["context"]["app"]["version"] != last.context["app"]["version"] for one in crashes
        )
        return has_updated, bool(crashes), sum(len(post.events) for post in phone)

    return max(phones, key=interest)[-1].device_id


def _wrong(account: Account, findings: Findings, ledger: Ledger) -> list[str]:
    judged = {
        "the account does not close": not account.is_closed,
        "the ledger and ClickHouse disagree": not findings.is_clean,
        f"{ledger.given_up():,} events never got a final answer": ledger.given_up() > 0,
        "the gateway refused whole POSTs": account.promised.refused > 0,
    }
    return [text for text, is_so in judged.items() if is_so]
