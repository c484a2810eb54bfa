"""The fault server over loopback: what it reads, what it answers, and how it ends."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import zstandard

from loadtest.client import CHUNKED, NoReply, PhoneClient
from loadtest.fault_server import CannotListen, FaultServer
from loadtest.faults import Player, parse_script
from tests.builders import as_body, make_batch, make_event

PATH = "/v1/events"


class Rig:
    """A server that plays a script, and a client of it."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.client = PhoneClient(server.url, "any")

    async def post(self, body: bytes, **headers: str) -> tuple[int, Any, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await self.client.send("POST", PATH, body, named)
        return reply.status, json.loads(reply.body), reply.headers


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    script = getattr(request, "param", "ok")
    async with FaultServer(Player(parse_script(script))) as server:
        made = Rig(server)
        yield made
        await made.client.close()


async def test_bodies_come_plain_packed_and_in_chunks(rig: Rig) -> None:
    body = as_body(make_batch())
    chunks = b"5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (body[:5], len(body) - 5, body[5:])

    statuses = [
        (await rig.post(body))[0],
        (await rig.post(gzip.compress(body), Content_Encoding="gzip"))[0],
        (await rig.post(zstandard.compress(body), Content_Encoding="zstd"))[0],
        (await rig.post(chunks, **dict([CHUNKED.split(": ")])))[0],
        (await rig.post(body, Expect=""))[0],
    ]

    assert statuses == [200] * 5
    assert rig.client.connections == 1
    assert {one.device for one in rig.server.seen} == {"device-1"}
    assert len({one.events for one in rig.server.seen}) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"no", b"[]", b"{}", as_body(make_batch(events=[1])), as_body(make_batch(sent_at=None))],
)
async def test_what_is_no_native_post_is_a_400_and_kept_in_mind(rig: Rig, body: bytes) -> None:
    status, told, _ = await rig.post(body)

    assert (status, told["error"]["code"]) == (400, "invalid_json")
    assert rig.server.seen[0].problem


async def test_a_body_that_is_not_as_packed_as_it_says_is_a_400(rig: Rig) -> None:
    for encoding in ("gzip", "zstd", "br"):
        assert (await rig.post(as_body(make_batch()), Content_Encoding=encoding))[0] == 400


async def test_another_path_is_404_and_not_counted(rig: Rig) -> None:
    assert (await rig.client.get("/v1/events")).status == 404
    assert rig.server.seen == []


async def test_events_that_lack_what_they_need_are_rejected(rig: Rig) -> None:
    twice = make_event()
    _, told, _ = await rig.post(as_body(make_batch(twice, make_event(type=None), twice)))

    assert (told["accepted"], told["duplicates"]) == (1, 1)
    assert [one["index"] for one in told["rejected"]] == [1]


@pytest.mark.parametrize("rig", ["429:7,503:0,401:60"], indirect=True)
async def test_refusals_name_their_code_and_wait(rig: Rig) -> None:
    body = as_body(make_batch())
    found = [await rig.post(body) for _ in range(3)]

    assert [(status, headers.get("retry-after")) for status, _, headers in found] == [
        (429, "7"),
        (503, None),
        (401, None),
    ]
    assert [one.retry_after for one in rig.server.seen] == [7, 0, 0]
    assert not any(one.taken for one in rig.server.seen)


@pytest.mark.parametrize("rig", ["413*2,413:500*2"], indirect=True)
async def test_413_is_for_what_is_too_large(rig: Rig) -> None:
    small, pair = as_body(make_batch(context=None)), as_body(make_batch(make_event(), make_event()))

    assert [(await rig.post(one))[0] for one in (pair, small, pair, small)] == [413, 200, 413, 200]


@pytest.mark.parametrize("rig", ["cut,refuse:0,ok"], indirect=True)
async def test_a_cut_post_is_taken_and_one_of_a_closed_door_is_not(rig: Rig) -> None:
    for _ in range(2):
        with pytest.raises(NoReply):
            await rig.post(as_body(make_batch()))

    assert [(one.status, one.answered, one.taken) for one in rig.server.seen] == [
        (0, False, True),
        (0, False, False),
    ]


async def test_it_ends_after_so_many_posts() -> None:
    async with FaultServer(Player([]), posts=2) as server:
        rig = Rig(server)
        for is_over in (False, True):
            await rig.post(as_body(make_batch()))
            assert server.ended.is_set() is is_over
        await rig.client.close()


async def test_dice_rest_in_the_last_third() -> None:
    steps = parse_script("503:1*100")
    async with FaultServer(Player(steps), posts=9, calms_down=True) as server:
        rig = Rig(server)
        statuses = [(await rig.post(as_body(make_batch())))[0] for _ in range(9)]
        await rig.client.close()

    assert statuses == [503] * 6 + [200] * 3


async def test_an_address_that_is_taken_is_said() -> None:
    async with FaultServer(Player([])) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(CannotListen):
            await FaultServer(Player([]), port=port).__aenter__()
