"""The sink composed with aiokafka's own `commit()`: the negative control of the zombie test.

`python -m tests.e2e.plain_commit_sink run` is started like the sink itself.
"""

from __future__ import annotations

import asyncio
import os
import signal

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from gateway.runtime import load_config, setup_logging
from sinks.config import PREFIXES, SinkConfig
from sinks.intent import GroupOffsets, Pin
from sinks.run import run_clickhouse


class PlainCommits(GroupOffsets):
    """Commits as anybody would write them: under whatever generation holds when it is sent."""

    async def commit(self, partition: TopicPartition, pin: Pin, offset: int, metadata: str) -> None:
        await self._consumer.commit({partition: OffsetAndMetadata(offset, metadata)})


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = load_config(SinkConfig, PREFIXES, os.environ)
    setup_logging()
    await run_clickhouse(config, None, stop, lambda: print("sink ready", flush=True), PlainCommits)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
