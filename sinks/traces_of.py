"""The spans of this process's chunks, where they are switched on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from gateway.runtime import ConfigError
from sinks.chunk_writer import ChunkTraces
from sinks.config import SinkConfig


@asynccontextmanager
async def traces_of(config: SinkConfig) -> AsyncIterator[ChunkTraces | None]:
    """What is left at the end is sent. Raises ConfigError."""
    if not config.tracing_url:
        yield None
        return
    if find_spec("opentelemetry.sdk") is None:
        text = "the package opentelemetry-sdk is missing; install the extra: tracing"
        raise ConfigError(f"TELEMETRY_SINK_TRACING_URL: {text}")
    from sinks.tracing import OtelChunkTraces, exported  # needs the extra

    traces = OtelChunkTraces(exported(config.tracing_url), config.group)
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)
