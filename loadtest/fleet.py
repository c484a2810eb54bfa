"""The fleet at work: every phone's POSTs in its order, retried as a phone would, and the ledger."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from itertools import count

import msgspec
from msgspec import Struct

from gateway.runtime import now_ms
from loadtest.backoff import Backoff, asked_seconds
from loadtest.client import NoReply, PhoneClient
from loadtest.devices import Post, body_of
from loadtest.ledger import Entry, Ledger
from loadtest.replies import is_final, no_reply, posted, read_reply

PATH = "/v1/events"
CONNECTIONS = 32  # a phone uses one of them throughout, so its POSTs never overtake each other
BACKOFF = Backoff(first_seconds=0.2, longest_seconds=8.0)  # a demo does not wait for minutes
GRACE_SECONDS = 30.0  # after the time to play: for tries that go wrong


class Play(Struct, frozen=True, kw_only=True):
    """Where the fleet posts, and within how many seconds."""

    url: str
    write_key: str
    seconds: float
    grace_seconds: float = GRACE_SECONDS


async def run_fleet(
    play: Play,
    phones: Sequence[Sequence[Post]],
    ledger: Ledger,
    on_settled: Callable[[int], None],
) -> None:
    """Play the fleet; `on_settled` hears how many events each final answer settled.

    Raises BadUrl, and OSError for the ledger's file. Returns within `seconds + grace_seconds` and
    the deadline of one exchange.
    """
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(CONNECTIONS):
            mine = (post for phone in phones[number::CONNECTIONS] for post in phone)
            client = PhoneClient(play.url, play.write_key)
            chance = random.Random(number)  # noqa: S311  # a simulation
            lane = _Lane(client, play, ledger, started, chance)
            posts = sorted(mine, key=lambda post: post.at)
            tasks.create_task(_play(lane, posts, on_settled))


class _Lane(Struct, frozen=True):
    """The phones of one connection."""

    client: PhoneClient
    play: Play
    ledger: Ledger
    started: float
    chance: random.Random

    def seconds_left(self) -> float:
        end = self.started + self.play.seconds + self.play.grace_seconds
        return end - time.monotonic()


async def _play(lane: _Lane, posts: Sequence[Post], on_settled: Callable[[int], None]) -> None:
    for post in posts:
        if lane.seconds_left() <= 0:
            break
        await asyncio.sleep(lane.started + post.at * lane.play.seconds - time.monotonic())
        for _ in range(2 if post.reply_is_lost else 1):
            if await _deliver(lane, post):
                on_settled(len(post.events))
    await lane.client.close()


async def _deliver(lane: _Lane, post: Post) -> bool:
    """Send until the answer is final; False when time ran out before."""
    lane.ledger.add(posted(post))
    for tries in count(1):
        await lane.ledger.settle()
        entries, asked = await _try(lane.client, post)
        lane.ledger.add(entries)
        if is_final(entries):
            return True
        wait = BACKOFF.wait(tries, asked, lane.chance)
        if lane.seconds_left() < wait:
            break
        await asyncio.sleep(wait)
    return False


async def _try(client: PhoneClient, post: Post) -> tuple[list[Entry], float]:
    """One try; what came of each event, and how many seconds the gateway asks to wait."""
    body = msgspec.json.encode(body_of(post, now_ms()))
    try:
        reply = await client.post(PATH, body)
    except NoReply as error:
        return no_reply(post, str(error)), 0.0
    asked = asked_seconds(reply.headers.get("retry-after", ""))
    return read_reply(post, reply.status, reply.body), asked
