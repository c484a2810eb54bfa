"""A phone's HTTP over loopback: kept alive, and every failure ends as `NoReply`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from loadtest.client import BadUrl, NoReply, PhoneClient
from tests.fakes_gateway import FakeGateway, Fault

BODY = json.dumps({"events": [{"event_id": "e-1", "type": "t", "timestamp": "now"}]}).encode()


@pytest.fixture
async def fake() -> AsyncIterator[FakeGateway]:
    async with FakeGateway() as gateway:
        yield gateway


@pytest.fixture
async def client(fake: FakeGateway) -> AsyncIterator[PhoneClient]:
    made = PhoneClient(fake.url, "key")
    yield made
    await made.close()


async def test_posts_share_one_connection(fake: FakeGateway, client: PhoneClient) -> None:
    replies = [await client.post("/v1/events", BODY) for _ in range(3)]

    assert [one.status for one in replies] == [200, 200, 200]
    assert json.loads(replies[0].body)["accepted"] == 1
    assert fake.connections == 1


async def test_a_connection_that_the_server_closed_is_made_anew(
    fake: FakeGateway, client: PhoneClient
) -> None:
    fake.closes_after_each = True
    for number in range(1, 4):
        try:
            await client.post("/v1/events", BODY)
        except NoReply:  # the close may be seen only when the next request is on its way
            await client.post("/v1/events", BODY)
        assert fake.connections >= number


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.NOT_HTTP, Fault.ENDLESS])
async def test_what_is_no_reply_is_one_error_and_the_next_post_works(
    fake: FakeGateway, client: PhoneClient, fault: Fault
) -> None:
    fake.faults.append(fault)

    with pytest.raises(NoReply):
        await client.post("/v1/events", BODY)

    assert (await client.post("/v1/events", BODY)).status == 200


async def test_a_header_is_found_in_any_case(fake: FakeGateway, client: PhoneClient) -> None:
    fake.faults.append(Fault.BUSY)

    reply = await client.post("/v1/events", BODY)

    assert (reply.status, reply.headers["retry-after"]) == (503, "0")


async def test_where_nobody_listens_there_is_no_reply(fake: FakeGateway) -> None:
    nobody = PhoneClient("http://127.0.0.1:1", "key")

    with pytest.raises(NoReply, match="ConnectionRefusedError"):
        await nobody.get("/readyz")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://h:port"])
def test_what_is_no_url_is_said_at_once(url: str) -> None:
    with pytest.raises(BadUrl):
        PhoneClient(url, "key")
