"""The members of the stack: how each is started, when it is ready, how long it may take to end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from infra.local import kafka
from infra.local.stack_file import Stack, write_private

PROBE_SECONDS = 3.0
KAFKA = "kafka"


class Member(Struct, frozen=True, kw_only=True):
    """One process of the stack."""

    name: str
    group: str = ""  # members of one group start and end together; empty: this one alone
    prepare: Callable[[], list[str]]  # may take seconds; returns the command line
    environment: Mapping[str, str]
    is_ready: Callable[[], Awaitable[bool]]
    patience_seconds: float  # from SIGTERM to SIGKILL
    start_seconds: float = 60.0


def members_of(
    stack: Stack, data: Path, environ: Mapping[str, str], *, has_kafka: bool, has_clickhouse: bool
) -> list[Member]:
    """In the order of their start; they end in the reverse order."""
    members: list[Member] = []
    if has_kafka:
        brokers = kafka.brokers_of(data, data / "logs", stack.brokers)
        members += [_kafka(broker, environ) for broker in brokers]
    if has_clickhouse:
        members.append(_clickhouse(stack, data, environ))
    console = _console(stack, data, environ, has_clickhouse=has_clickhouse)
    return [*members, _gateway(stack, data, environ), _sink(stack, data, environ), console]


def addresses(stack: Stack, data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Where Kafka and ClickHouse are, as environment; external servers come in by it too."""
    password_file = data / "run" / "clickhouse-password"
    write_private(password_file, stack.writer.password.encode())
    own = {
        "TELEMETRY_KAFKA_BOOTSTRAP": stack.bootstrap,
        "TELEMETRY_CLICKHOUSE_URL": stack.clickhouse_url,
    }
    if "TELEMETRY_CLICKHOUSE_URL" not in environ:
        own["TELEMETRY_CLICKHOUSE_USER"] = stack.writer.user
        own["TELEMETRY_CLICKHOUSE_PASSWORD_FILE"] = str(password_file)
    inherited = {name: value for name, value in environ.items() if name in own}
    return {**environ, **own, **inherited}


def _kafka(broker: kafka.Broker, environ: Mapping[str, str]) -> Member:
    """A broker of several answers only when most of them run: they are one group."""

    def prepare() -> list[str]:
        kafka.prepare(broker)
        return kafka.command(broker)

    async def is_ready() -> bool:
        client = AIOKafkaClient(bootstrap_servers=broker.bootstrap)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await client.bootstrap()
                return True
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await client.close()

    return Member(
        name=broker.folder.name,
        group=KAFKA,
        prepare=prepare,
        environment=environ,
        is_ready=is_ready,
        patience_seconds=20.0,
        start_seconds=180.0,  # the first start on a machine downloads the jars
    )


def _clickhouse(stack: Stack, data: Path, environ: Mapping[str, str]) -> Member:
    users_file = data / "run" / "clickhouse-users.json"

    def prepare() -> list[str]:
        users = {"writer": stack.writer, "reader": stack.reader, "database": "telemetry"}
        write_private(users_file, msgspec.json.encode(users))
        module = [sys.executable, "-m", "infra.local.clickhouse"]
        where = ["--data", str(data / "clickhouse"), "--port", str(stack.clickhouse_port)]
        return [*module, *where, "--users", str(users_file), "--parent-pid", str(os.getpid())]

    return Member(
        name="clickhouse",
        prepare=prepare,
        environment=environ,
        is_ready=lambda: answers(f"{stack.clickhouse_url}/ping"),
        patience_seconds=30.0,
    )


def _gateway(stack: Stack, data: Path, environ: Mapping[str, str]) -> Member:
    environment = {
        **environ,
        "TELEMETRY_GATEWAY_HOST": urlsplit(stack.gateway_url).hostname or "",
        "TELEMETRY_GATEWAY_PORT": str(stack.gateway_port),
        "TELEMETRY_GATEWAY_DATA": str(data),
    }
    return Member(
        name="gateway",
        prepare=lambda: [sys.executable, "-m", "gateway", "serve"],
        environment=environment,
        is_ready=lambda: answers(f"{stack.gateway_url}/readyz"),
        patience_seconds=25.0,
    )


def _sink(stack: Stack, data: Path, environ: Mapping[str, str]) -> Member:
    """A static member: after a restart it has its partitions back at once."""
    environment = {
        **environ,
        "TELEMETRY_SINK_METRICS_HOST": urlsplit(stack.sink_url).hostname or "",
        "TELEMETRY_SINK_METRICS_PORT": str(stack.sink_port),
    }
    return Member(
        name="sink",
        prepare=lambda: [sys.executable, "-m", "sinks", "run", "--instance", "local"],
        environment=environment,
        is_ready=lambda: answers(f"{stack.sink_url}/readyz"),
        patience_seconds=35.0,
    )


def _console(
    stack: Stack, data: Path, environ: Mapping[str, str], *, has_clickhouse: bool
) -> Member:
    """Asks our own ClickHouse as the user that may only read."""
    environment = {
        **environ,
        "TELEMETRY_CONSOLE_HOST": urlsplit(stack.console_url).hostname or "",
        "TELEMETRY_CONSOLE_PORT": str(stack.console_port),
        "TELEMETRY_CONSOLE_TOKENS_PATH": str(data / "console" / "tokens.json"),
        "TELEMETRY_CONSOLE_GATEWAY_URL": stack.gateway_url,
        "TELEMETRY_CONSOLE_SINK_URL": stack.sink_url,
    }
    if has_clickhouse:
        password_file = data / "run" / "clickhouse-reader-password"
        write_private(password_file, stack.reader.password.encode())
        environment["TELEMETRY_CLICKHOUSE_USER"] = stack.reader.user
        environment["TELEMETRY_CLICKHOUSE_PASSWORD_FILE"] = str(password_file)
    return Member(
        name="console",
        prepare=lambda: [sys.executable, "-m", "sinks", "console"],
        environment=environment,
        is_ready=lambda: answers(f"{stack.console_url}/livez"),
        patience_seconds=15.0,
    )


async def answers(url: str) -> bool:
    """Whether an HTTP GET is answered 200."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                writer.write(f"{request}Connection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split(b" ")[1:2] == [b"200"]
