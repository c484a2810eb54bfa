"""The gateway behind uvicorn's own HTTP protocol instead of the guard: what the guard costs.

`python -m tests.bench.plain_protocol` is started like `python -m gateway serve`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import serve as serving
from gateway.config import PREFIXES, GatewayConfig
from gateway.runtime import load_config, setup_logging


class PlainProtocol(HttpToolsProtocol):
    """Takes the guard's arguments and does without what they are for."""

    def __init__(
        self, *args: Any, dispatch: object, limits: object, on_refused: object, **rest: Any
    ) -> None:
        super().__init__(*args, **rest)

    def check(self, now: float) -> None:
        """Nothing takes too long here."""


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = load_config(GatewayConfig, PREFIXES, os.environ)
    setup_logging("warning")
    serving.Guard = PlainProtocol  # type: ignore[assignment, attr-defined]  # our own composition
    await serving.serve(config, serving.bind(config), stop, _say_ready)


def _say_ready(url: str) -> None:
    print(f"gateway ready {url}", flush=True)  # noqa: T201


if __name__ == "__main__":
    uvloop.run(main())
