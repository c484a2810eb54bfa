"""The yardstick: the same work as a good FastAPI service does it, tuned.

pydantic checks every event; each becomes one keyed record, sent by aiokafka's idempotent producer
(acks=all, batches of up to 1 MB, 2 ms linger); 200 after all of them are acknowledged. No keys, no
limits, no spool, no metrics. `python -m tests.bench.peers.fastapi_gateway BOOTSTRAP TOPIC` prints
`yardstick ready URL`.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=128)]
Id = Annotated[str, Field(min_length=1, max_length=64)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class App(Model):
    id: Text | None = None
    version: Text | None = None
    build: Text | None = None


class OperatingSystem(Model):
    name: Text | None = None
    version: Text | None = None


class Device(Model):
    id: Id
    manufacturer: Text | None = None
    model: Text | None = None


class Network(Model):
    type: Text | None = None
    carrier: Text | None = None


class Library(Model):
    name: Text | None = None
    version: Text | None = None


class Context(Model):
    app: App
    os: OperatingSystem
    device: Device
    network: Network | None = None
    library: Library | None = None
    locale: Text | None = None
    timezone: Text | None = None


class Event(Model):
    event_id: Id
    type: Text
    timestamp: datetime
    session_id: Id | None = None
    sequence: Annotated[int, Field(ge=0)] | None = None
    properties: dict[str, Any] = {}


class Batch(Model):
    sent_at: datetime
    context: Context
    events: Annotated[list[Event], Field(min_length=1, max_length=1000)]


class Record(BaseModel):
    """What lies in Kafka: the event, and what its POST says of all of them."""

    event: Event
    context: Context
    received_at: datetime


def create_app(bootstrap: str, topic: str) -> FastAPI:
    producer: AIOKafkaProducer

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal producer
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True,
            max_batch_size=1_000_000, linger_ms=2,
        )  # fmt: skip
        await producer.start()
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/events")
    async def post(batch: Batch) -> dict[str, object]:
        received_at = datetime.now(UTC)
        key = batch.context.device.id.encode()
        sent = [
            await producer.send(
                topic,
                Record(event=event, context=batch.context, received_at=received_at)
                .model_dump_json()
                .encode(),
                key,
            )
            for event in batch.events
        ]
        await asyncio.gather(*sent)
        return {"accepted": len(batch.events), "stored": "kafka"}

    return app


def main(bootstrap: str, topic: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"yardstick ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    config = uvicorn.Config(
        create_app(bootstrap, topic), loop="uvloop", http="httptools", access_log=False,
        log_level="warning",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
