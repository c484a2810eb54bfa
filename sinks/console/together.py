"""A template yields several pieces for each line; a browser takes few large ones in less time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator


async def together(pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """The same text; what comes without a wait is one piece. Raises what `pieces` does."""
    held: list[str] = []
    news = asyncio.Event()

    async def take() -> None:
        try:
            async for piece in pieces:
                held.append(piece)
                news.set()
        finally:
            news.set()

    taking = asyncio.create_task(take())
    try:
        while not taking.done() or held:
            await news.wait()
            news.clear()
            if held:
                text = "".join(held)
                held.clear()
                yield text
        await taking
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
