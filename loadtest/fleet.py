"""The fleet at work: every phone's POSTs in its order, retried as a phone would, and the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from loadtest.client import NoReply, PhoneClient, Reply
from loadtest.devices import Post, body_of
from loadtest.ledger import Ledger, Outcome

PATH = "/v1/events"
MAX_ATTEMPTS = 8
MAX_WAIT_SECONDS = 5.0  # a demo does not wait for minutes, whatever Retry-After says
CONNECTIONS = 32


class _Rejected(msgspec.Struct):
    index: int


class _Answer(msgspec.Struct):
    accepted: int
    duplicates: int
    rejected: list[_Rejected]


async def run_fleet(
    url: str,
    write_key: str,
    phones: Sequence[Sequence[Post]],
    seconds: float,
    ledger: Ledger,
    on_post: Callable[[int], None],
) -> None:
    """Play the fleet over `seconds`; `on_post` hears how many events each answer settled."""
    started = time.monotonic()
    lanes = [phones[one::CONNECTIONS] for one in range(CONNECTIONS)]
    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            posts = sorted((post for phone in lane for post in phone), key=lambda post: post.at)
            client = PhoneClient(url, write_key)
            tasks.create_task(_play(client, posts, started, seconds, ledger, on_post))


async def _play(
    client: PhoneClient,
    posts: Sequence[Post],
    started: float,
    seconds: float,
    ledger: Ledger,
    on_post: Callable[[int], None],
) -> None:
    for post in posts:
        wait = started + post.at * seconds - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        for _ in range(2 if post.reply_is_lost else 1):
            outcomes = await _deliver(client, post)
            ids = [str(event.get("event_id", "")) for event in post.events]
            ledger.record(post.device_id, ids, outcomes)
            on_post(len(outcomes))
    await client.close()


async def _deliver(client: PhoneClient, post: Post) -> list[Outcome]:
    """Send until there is a final answer: 200, or a refusal that repeating cannot help."""
    for attempt in range(MAX_ATTEMPTS):
        body = msgspec.json.encode(body_of(post, time.time_ns() // 1_000_000))
        wait = min(MAX_WAIT_SECONDS, 0.2 * 2**attempt)
        try:
            reply = await client.post(PATH, body)
        except NoReply:
            await asyncio.sleep(wait)
            continue
        if reply.status == 200:
            return outcomes_of(reply, len(post.events))
        if reply.status in (429, 503):
            asked = float(reply.headers.get("retry-after", wait))
            await asyncio.sleep(min(MAX_WAIT_SECONDS, asked))
            continue
        break
    return ["unanswered"] * len(post.events)


def outcomes_of(reply: Reply, count: int) -> list[Outcome]:
    """The verdict of every event. The reply tells rejected ones by index, duplicates by number;
    our phones repeat no id within a POST, so a duplicate would be a surprise: it is shown."""
    answer = msgspec.json.decode(reply.body, type=_Answer)
    rejected = {one.index for one in answer.rejected}
    outcomes: list[Outcome] = [
        "rejected" if index in rejected else "accepted" for index in range(count)
    ]
    for index in reversed(range(count)):
        if answer.duplicates == outcomes.count("duplicate"):
            break
        if outcomes[index] == "accepted":
            outcomes[index] = "duplicate"
    return outcomes
