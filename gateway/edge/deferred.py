"""A transport that lets somebody else decide how it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class DeferredClose:
    """A transport whose `close` calls `close` once instead; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._is_closing = False
        self._close = close
        self.write = transport.write

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._close()

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
