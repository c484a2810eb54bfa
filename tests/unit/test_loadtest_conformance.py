"""The conformance checks: our gateway passes them, a sloppy one does not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gateway.runtime import now_ms
from loadtest.client import Reply
from loadtest.conformance import Checked, check_gateway, retry_after
from loadtest.conformance_maker import Maker
from tests.fakes_gateway import FakeGateway
from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import served


def maker() -> Maker:
    return Maker(now_ms(), random.Random(7))


def wrong(checked: list[Checked]) -> list[Checked]:
    return [one for one in checked if one.wrong]


async def test_our_gateway_keeps_the_contract(tmp_path: Path) -> None:
    gateway = GatewayUnderTest(tmp_path)
    gateway.clock_ms = now_ms()
    async with served(gateway) as url:
        checked = await check_gateway(url, KEY, maker())

    assert wrong(checked) == []
    assert len(checked) > 50
    assert gateway.metrics.bugs._value.get() == 0


async def test_a_sloppy_gateway_is_found_out() -> None:
    async with FakeGateway() as fake:
        checked = await check_gateway(fake.url, KEY, maker())

    found = {one.name for one in wrong(checked)}
    assert {
        "gzip",
        "no key",
        "an unknown key",
        "too many events",
        "a content type that is not JSON",
        "a request id is echoed",
        "an event that is too large: rejected",
        "a body that is no JSON",
    } <= found
    assert {"a batch is accepted", "a copy within a POST is a duplicate"}.isdisjoint(found)


async def test_a_gateway_that_is_not_there_fails_every_check() -> None:
    checked = await check_gateway("http://127.0.0.1:1", KEY, maker())

    assert wrong(checked) == checked


async def test_an_overloaded_gateway_fails_with_what_it_answered(tmp_path: Path) -> None:
    gateway = GatewayUnderTest(tmp_path)
    gateway.publisher.fail_next = 1
    async with served(gateway) as url:
        checked = await check_gateway(url, KEY, maker())

    (first,) = wrong(checked)
    assert first.answered.startswith('503 {"error":{"code":"not_kept"')


@pytest.mark.parametrize(
    ("status", "headers", "is_wrong"),
    [
        (200, {}, False),
        (200, {"retry-after": "5"}, True),
        (401, {"retry-after": "5"}, True),
        (503, {"retry-after": "5"}, False),
        (503, {}, True),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, True),
        (408, {}, False),
    ],
)
def test_a_wait_is_named_only_where_one_is_due(
    status: int, headers: dict[str, str], is_wrong: bool
) -> None:
    assert bool(retry_after([Reply(status, headers, b"")]).wrong) is is_wrong
