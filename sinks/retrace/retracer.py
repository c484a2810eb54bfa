"""Retraces stacks with the mappings of their release, within a deadline.

Mappings are read in one thread, one after another, and some are kept. A mapping that takes longer
than the deadline is read on: the next question finds it.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from sinks.retrace.extra import check_extra
from sinks.retrace.frames import JavaMapping, Kind, MappingError, Mappings, ScriptMapping
from sinks.retrace.stack import bundles_in, retraced
from sinks.retrace.store import Ask, Stored, content_of, listed

Key = tuple[str, Stored]  # of an app


class Retraced(Struct, frozen=True):
    """A stack after its mappings, and what people are told of it."""

    text: str
    note: str
    is_changed: bool


class Retracer:
    """`kept_bytes` bounds the mappings that are kept, counted by the size of their files."""

    def __init__(self, ask: Ask, *, kept_bytes: int, seconds: float) -> None:
        self._ask = ask
        self._kept_bytes, self._seconds = kept_bytes, seconds
        self._thread = ThreadPoolExecutor(1, "retrace")
        self._kept: dict[Key, JavaMapping | ScriptMapping] = {}  # the one used last is last
        self._loading: dict[Key, asyncio.Task[JavaMapping | ScriptMapping]] = {}
        self._turn = asyncio.Lock()

    async def retraced(self, app: str, release: str, stack: str) -> Retraced:
        """Raises MappingError when there is a mapping that cannot be used, or not in time."""
        until = time.monotonic() + self._seconds
        try:
            async with asyncio.timeout(self._seconds):
                return await self._retraced(app, release, stack, until)
        except TimeoutError:
            raise MappingError(
                f"The stack was not retraced within {self._seconds:g} s; try again."
            ) from None

    async def _retraced(self, app: str, release: str, stack: str, until: float) -> Retraced:
        stored = await listed(self._ask, app, release) if release else []
        bundles = bundles_in(stack)
        wanted = [one for one in stored if one.kind == "proguard" or one.name in bundles]
        if not wanted:
            return Retraced(stack, f"No mapping of release {release} fits this stack.", False)
        check_extra()
        java: JavaMapping | None = None
        scripts: dict[str, ScriptMapping] = {}
        for one in wanted:
            mapping = await self._mapping((app, one))
            if one.kind == "proguard":
                java = mapping  # type: ignore[assignment]
            else:
                scripts[one.name] = mapping  # type: ignore[assignment]
        text = await asyncio.get_running_loop().run_in_executor(
            self._thread,
            retraced,
            stack,
            Mappings(java, scripts),
            lambda: time.monotonic() > until,
        )
        labels = ", ".join(one.label for one in wanted)
        if text == stack:
            return Retraced(stack, f"No line is known to {labels}.", False)
        return Retraced(text, f"Retraced by {labels}.", True)

    async def _mapping(self, key: Key) -> JavaMapping | ScriptMapping:
        if (mapping := self._kept.pop(key, None)) is not None:
            self._kept[key] = mapping
            return mapping
        if key[1].bytes > self._kept_bytes:
            raise MappingError(
                f"{key[1].label}, has {key[1].bytes} bytes; at most {self._kept_bytes} are read"
            )
        if key not in self._loading:
            task = self._loading[key] = asyncio.create_task(self._load(key))
            task.add_done_callback(lambda _: self._loading.pop(key))
        return await asyncio.shield(self._loading[key])

    async def _load(self, key: Key) -> JavaMapping | ScriptMapping:
        app, one = key
        async with self._turn:
            content = (await content_of(self._ask, app, one)).encode()
            loop = asyncio.get_running_loop()
            mapping = await loop.run_in_executor(self._thread, _read, one.kind, content)
        self._kept[key] = mapping
        while sum(known.bytes for _, known in self._kept) > self._kept_bytes:
            del self._kept[next(iter(self._kept))]
        return mapping

    async def close(self) -> None:
        for task in self._loading.values():
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _read(kind: Kind, content: bytes) -> JavaMapping | ScriptMapping:
    from sinks.retrace.mapping import read  # needs the extra

    return read(kind, content)
