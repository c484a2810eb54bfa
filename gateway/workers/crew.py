"""What one of several workers shares with the others: the spool, the metrics, the load."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from gateway.config import GatewayConfig
from gateway.metrics import Metrics
from gateway.workers.link import SpoolLink
from gateway.workers.run_folder import KEEPER, RunFolder
from gateway.workers.scrape import ask, families, page, serve_metrics

JOIN_SECONDS = 5.0


class Crew:
    """The place of worker `index` among `count`."""

    def __init__(self, run: RunFolder, index: int, count: int, *, has_keeper: bool) -> None:
        self._run = run
        self._name = str(index)
        self._others = [str(one) for one in range(count) if one != index]
        if has_keeper:
            self._others.append(KEEPER)
        self.link = SpoolLink(run) if has_keeper else None

    async def run(self, metrics: Metrics) -> None:
        """Stay in touch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_metrics(self._run.metrics_socket(self._name), metrics))
            if self.link is not None:
                tasks.create_task(self.link.run())

    async def joined(self) -> None:
        """Wait for the spool, if not for ever: without it Kafka may still do."""
        if self.link is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(JOIN_SECONDS):
                    await self.link.connected.wait()

    async def metrics_page(self, metrics: Metrics) -> bytes:
        """The metrics of all processes."""
        sockets = [self._run.metrics_socket(name) for name in self._others]
        told = await asyncio.gather(*map(ask, sockets))
        return page({self._name: families(metrics), **dict(zip(self._others, told, strict=True))})


def share_of(config: GatewayConfig, workers: int) -> GatewayConfig:
    """The configuration of one of several workers: bounds of the host are divided among them."""
    return msgspec.structs.replace(
        config,
        max_inflight_requests=_share(config.max_inflight_requests, workers),
        max_inflight_bytes=_share(config.max_inflight_bytes, workers),
        dead_letters_per_second=_share(config.dead_letters_per_second, workers),
        address_requests_per_second=config.address_requests_per_second / workers,
        device_requests_per_second=config.device_requests_per_second / workers,
        unknown_keys_per_minute=config.unknown_keys_per_minute / workers,
        tracing_per_second=config.tracing_per_second / workers,
    )


def _share(bound: int, workers: int) -> int:
    """Rounded up, and 0 stays 0."""
    return -(-bound // workers)
