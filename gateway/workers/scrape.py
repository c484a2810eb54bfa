"""One `/metrics` for all processes of a gateway: each tells its own, whoever is asked adds them.

Every series carries the process it is of (`worker`), so that the restart of one is a counter's
reset that Prometheus understands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.metrics import PREFIX, Metrics

ANSWER_SECONDS = 1.0
UP = PREFIX + "worker_up"
UP_MEANING = "With several workers: whether a process of the gateway answers."


class Family(Struct, frozen=True, array_like=True):
    """One metric with all its series."""

    name: str
    meaning: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Family])


def families(metrics: Metrics) -> list[Family]:
    return [
        Family(
            one.name,
            one.documentation,
            one.type,
            [(sample.name, sample.labels, sample.value) for sample in one.samples],
        )
        for one in metrics.registry.collect()
    ]


def page(told: Mapping[str, Sequence[Family] | None]) -> bytes:
    """The text of what each process has told; None: it did not answer."""
    registry = CollectorRegistry()
    registry.register(_Merged(told))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, told: Mapping[str, Sequence[Family] | None]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        up = Metric(UP, UP_MEANING, "gauge")
        merged: dict[str, Metric] = {}
        for worker, known in self._told.items():
            up.add_sample(up.name, {"worker": worker}, 0 if known is None else 1)
            for one in known or ():
                if one.name not in merged:
                    merged[one.name] = Metric(one.name, one.meaning, one.type)
                for name, labels, value in one.samples:
                    merged[one.name].add_sample(name, {**labels, "worker": worker}, value)
        yield up
        yield from merged.values()


async def serve_metrics(path: Path, metrics: Metrics) -> None:
    """Tell whoever connects, until cancelled."""

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(_encoder.encode(families(metrics)))
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240  # once, at the start
    server = await asyncio.start_unix_server(tell, str(path))
    async with server:
        await server.serve_forever()


async def ask(path: Path) -> list[Family] | None:
    """What the process behind a socket tells; None when it does not answer in time."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                return _decoder.decode(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
