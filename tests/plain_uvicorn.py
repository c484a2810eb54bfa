"""uvicorn with its own protocol class: the control of what the guard is for.

`python -m tests.plain_uvicorn` prints `control URL`. It answers as the gateway would, as far as
its protocol hands anything on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

MAX_BODY_BYTES = 4 * 1024 * 1024

Event = MutableMapping[str, Any]


async def app(
    scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
) -> None:
    declared = int(dict(scope["headers"]).get(b"content-length", b"0"))
    status = 413 if declared > MAX_BODY_BYTES else 200
    headers = [(b"content-length", b"13")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"live":true}'})


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print("control", f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
