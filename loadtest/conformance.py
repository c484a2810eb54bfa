"""Asks a running gateway what the native contract says it must answer."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from loadtest.client import NoReply, PhoneClient, Reply
from loadtest.conformance_cases import cases
from loadtest.conformance_finds import Case
from loadtest.conformance_maker import Maker

PATH = "/v1/events"
KEEP_ALIVE_POSTS = 5
WAITING = frozenset({408, 429, 503})  # statuses that may name a wait
SHOWN = 300  # characters of an answer


class Checked(Struct, frozen=True):
    """A check and what came of it."""

    name: str
    answered: str
    wrong: str  # empty: it is as the contract says


async def check_gateway(url: str, write_key: str, make: Maker) -> list[Checked]:
    """All checks, one after another. Raises BadUrl."""
    client = PhoneClient(url, write_key)
    try:
        replies: list[Reply] = []
        checked = [await _check(client, one, replies) for one in cases(make, write_key)]
        return [*checked, retry_after(replies), await _kept_alive(client, make)]
    finally:
        await client.close()


async def _check(client: PhoneClient, case: Case, replies: list[Reply]) -> Checked:
    try:
        reply = await client.send(case.method, PATH, case.body, case.headers)
    except NoReply as error:
        return Checked(case.name, "no answer", str(error))
    replies.append(reply)
    return Checked(case.name, said(reply), case.find(reply))


def said(reply: Reply) -> str:
    """An answer in a line."""
    return f"{reply.status} {reply.body.decode('utf-8', 'replace')}"[:SHOWN]


def retry_after(replies: Sequence[Reply]) -> Checked:
    """Over all answers: whole seconds with a 429 or 503, and none where nobody is to wait."""
    name = "Retry-After only where due"
    for one in replies:
        got = one.headers.get("retry-after")
        if got is not None and one.status not in WAITING:
            return Checked(name, said(one), f"Retry-After {got!r} with a {one.status}")
        if one.status in (429, 503) and not (got or "").isdecimal():
            return Checked(name, said(one), f"Retry-After {got!r} is no whole seconds")
    return Checked(name, f"{len(replies)} answers", "" if replies else "nothing was answered")


async def _kept_alive(client: PhoneClient, make: Maker) -> Checked:
    name = "connections are kept alive"
    await client.close()
    before = client.connections
    try:
        for _ in range(KEEP_ALIVE_POSTS):
            await client.post(PATH, make.batch())
    except NoReply as error:
        return Checked(name, "no answer", str(error))
    made = client.connections - before
    wrong = "one connection was due" if made != 1 else ""
    return Checked(name, f"{KEEP_ALIVE_POSTS} POSTs, {made} connections", wrong)
