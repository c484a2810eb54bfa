"""Retraces stacks with the mappings of their release, within a deadline.

Mappings are read in one thread, one after another, and some are kept. A mapping that takes longer
than the deadline is read on: the next question finds it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from sinks.retrace.excerpt import excerpt
from sinks.retrace.extra import check_extra
from sinks.retrace.frames import JavaMapping, Kind, MappingError, Mappings, ScriptMapping
from sinks.retrace.stack import bundles_in, classes_in, retraced
from sinks.retrace.store import Ask, Stored, content_of, listed

TOKEN = 48  # bytes that a place in a source map takes, or a name

Key = tuple[str, Stored]  # of an app


class Retraced(Struct, frozen=True):
    """A stack after its mappings, and what people are told of it."""

    text: str
    note: str
    is_mapped: bool  # there is a mapping for it, whether or not it knows a line


class _Read(Struct, frozen=True):
    """A mapping that is kept: R8's as its text, of which each stack needs a little."""

    mapping: bytes | ScriptMapping
    weight: int  # of bytes in memory, about


class Retracer:
    """`kept_bytes` bounds the memory of the mappings that are kept."""

    def __init__(self, ask: Ask, *, kept_bytes: int, seconds: float) -> None:
        self._ask = ask
        self._kept_bytes, self._seconds = kept_bytes, seconds
        self._thread = ThreadPoolExecutor(1, "retrace")
        self._kept: dict[Key, _Read] = {}  # the one used last is last
        self._loading: dict[Key, asyncio.Task[_Read]] = {}
        self._turn = asyncio.Lock()

    async def retraced(self, app: str, release: str, stack: str) -> Retraced:
        """Raises MappingError when there is a mapping that cannot be used, or not in time."""
        until = time.monotonic() + self._seconds
        try:
            async with asyncio.timeout(self._seconds):
                return await self._retraced(app, release, stack, until)
        except TimeoutError:
            raise MappingError(
                f"it takes more than {self._seconds:g} s; try again in a while"
            ) from None

    async def _retraced(self, app: str, release: str, stack: str, until: float) -> Retraced:
        stored = await listed(self._ask, app, release) if release else []
        bundles = bundles_in(stack) if stored else set()
        wanted = [one for one in stored if one.kind == "proguard" or one.name in bundles]
        if not wanted:
            return Retraced(stack, f"No mapping of release {release} fits this stack.", False)
        check_extra()
        mappings = {one: (await self._mapping((app, one))).mapping for one in wanted}
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._thread, _retrace, stack, mappings, until)
        labels = ", ".join(one.label for one in wanted)
        note = f"Retraced by {labels}." if text != stack else f"No line is known to {labels}."
        return Retraced(text, note, True)

    async def _mapping(self, key: Key) -> _Read:
        if (known := self._kept.pop(key, None)) is not None:
            self._kept[key] = known
            return known
        if key not in self._loading:
            task = self._loading[key] = asyncio.create_task(self._load(key))
            task.add_done_callback(lambda done: self._loaded(key, done))
        return await asyncio.shield(self._loading[key])

    async def _load(self, key: Key) -> _Read:
        app, one = key
        self._check(one, one.bytes)
        async with self._turn:
            content = (await content_of(self._ask, app, one)).encode()
            weight = len(content) + (0 if one.kind == "proguard" else TOKEN * content.count(b","))
            self._check(one, weight)
            loop = asyncio.get_running_loop()
            read = await loop.run_in_executor(self._thread, _parsed, one.kind, content, weight)
        self._kept[key] = read
        while sum(known.weight for known in self._kept.values()) > self._kept_bytes:
            del self._kept[next(iter(self._kept))]
        return read

    def _loaded(self, key: Key, task: asyncio.Task[_Read]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # who asked is told; nobody may be left who asked

    def _check(self, one: Stored, weight: int) -> None:
        if weight > self._kept_bytes:
            raise MappingError(
                f"{one.label}, takes {weight} bytes of memory; at most {self._kept_bytes} are "
                "allowed: TELEMETRY_CONSOLE_MAPPINGS_BYTES"
            )

    async def close(self) -> None:
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)


def _parsed(kind: Kind, content: bytes, weight: int) -> _Read:
    from sinks.retrace.mapping import SourceMap  # needs the extra

    return _Read(content if kind == "proguard" else SourceMap(content), weight)


def _retrace(stack: str, mappings: Mapping[Stored, bytes | ScriptMapping], until: float) -> str:
    from sinks.retrace.mapping import ProguardMapping  # needs the extra

    java: JavaMapping | None = None
    scripts: dict[str, ScriptMapping] = {}
    for one, mapping in mappings.items():
        if not isinstance(mapping, bytes):
            scripts[one.name] = mapping
        elif part := excerpt(mapping, classes_in(stack)):
            java = ProguardMapping(part)
    return retraced(stack, Mappings(java, scripts), lambda: time.monotonic() > until)
