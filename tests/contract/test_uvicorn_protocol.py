"""What the guard leans on in uvicorn's HTTP protocol."""

from __future__ import annotations

import inspect

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState


async def test_a_connection_has_the_attributes() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        """Never called."""

    config = uvicorn.Config(app, http="httptools", loop="none", lifespan="off")
    protocol = HttpToolsProtocol(config, ServerState(), {})

    for name in ("parser", "headers", "cycle", "flow", "transport", "loop", "pipeline"):
        assert hasattr(protocol, name)


@pytest.mark.parametrize(
    "name",
    [
        "connection_made", "data_received", "on_message_begin", "on_header", "on_headers_complete",
        "on_message_complete", "on_response_complete", "_unset_keepalive_if_required",
    ],
)  # fmt: skip
def test_a_connection_has_the_method(name: str) -> None:
    assert callable(getattr(HttpToolsProtocol, name))


def test_a_cycle_says_whether_it_is_answered_and_closes_by_the_transport() -> None:
    source = inspect.getsource(RequestResponseCycle)

    assert "self.response_complete = True" in source
    assert "self.transport.close()" in source
