"""What the guard leans on in uvicorn's HTTP protocol."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.edge.exchange import Exchange
from tests.fakes import FakeTransport


async def test_a_connection_has_the_attributes() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        """Never called."""

    config = uvicorn.Config(app, http="httptools", loop="none", lifespan="off")
    protocol = HttpToolsProtocol(config, ServerState(), {})

    for name in (
        "parser", "headers", "cycle", "flow", "transport", "loop", "pipeline", "client",
        "timeout_keep_alive_task",
    ):  # fmt: skip
        assert hasattr(protocol, name)
    for name in ("get_method", "get_http_version", "should_keep_alive", "should_upgrade"):
        assert callable(getattr(protocol.parser, name))


@pytest.mark.parametrize(
    "name",
    [
        "connection_made", "data_received", "on_message_begin", "on_header", "on_headers_complete",
        "on_message_complete", "on_response_complete", "_unset_keepalive_if_required", "on_url",
        "on_body", "connection_lost", "pause_writing", "resume_writing",
    ],
)  # fmt: skip
def test_a_connection_has_the_method(name: str) -> None:
    assert callable(getattr(HttpToolsProtocol, name))


def test_a_cycle_says_whether_it_is_answered_and_closes_by_the_transport() -> None:
    source = inspect.getsource(RequestResponseCycle)

    assert "self.response_complete = True" in source
    assert "self.transport.close()" in source


def test_an_exchange_of_ours_is_looked_at_as_a_cycle_in_these_places_only() -> None:
    """The guard puts its own exchange where uvicorn keeps a cycle: this is all that it asks."""
    asked = {
        "on_headers_complete": {"response_complete"},
        "shutdown": {"response_complete", "keep_alive"},
    }
    for name, attributes in asked.items():
        source = inspect.getsource(getattr(HttpToolsProtocol, name))
        found = set(re.findall(r"(?:self|existing)[._]cycle\.(\w+)", source))
        assert found == attributes, name


async def test_a_request_behind_an_exchange_waits_for_its_answer() -> None:
    started: list[str] = []

    async def app(scope: dict[str, Any], receive: object, send: object) -> None:
        started.append(scope["path"])

    config = uvicorn.Config(app, http="httptools", loop="none", lifespan="off")
    config.load()
    protocol = HttpToolsProtocol(config, ServerState(), {})
    protocol.connection_made(FakeTransport())
    exchange = Exchange(lambda exchange, response: None, keep_alive=True)
    protocol.cycle = exchange  # type: ignore[assignment]
    protocol.data_received(b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
    await asyncio.sleep(0)
    assert started == []

    exchange.response_complete = True
    protocol.on_response_complete()
    await asyncio.sleep(0)

    assert started == ["/next"]
