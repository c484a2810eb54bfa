"""The embedded stack as a whole: what `telemetry-infra up` runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local import stack_file, supervisor
from infra.local.members import addresses, members_of
from infra.local.ports import is_free
from infra.local.processes import last_lines, start
from infra.local.stack_file import DEMO_APP, Stack, StackFileError, Wanted, write_private
from infra.local.supervisor import StackError, Supervisor
from infra.provision import ProvisionError, ProvisionOptions, provision

__all__ = ["StackError", "run_stack"]

STEP_SECONDS = 120.0


async def run_stack(
    data: Path,
    wanted: Wanted,
    environ: Mapping[str, str],
    provisioning: ProvisionOptions,
    stop: asyncio.Event,
    say: Callable[[str], None],
    on_ready: Callable[[Stack], None],
) -> None:
    """Run the stack of `data` until `stop` is set. Raises StackError.

    Kafka or ClickHouse of the environment (`TELEMETRY_KAFKA_BOOTSTRAP`,
    `TELEMETRY_CLICKHOUSE_URL`) take the place of our own.
    """
    held = supervisor.lock(data)
    try:
        supervisor.end_leftovers(data)
        try:
            stack = stack_file.load_or_make(data, wanted)
        except StackFileError as error:
            raise StackError(str(error)) from None
        has_kafka = "TELEMETRY_KAFKA_BOOTSTRAP" not in environ
        has_clickhouse = "TELEMETRY_CLICKHOUSE_URL" not in environ
        _check_ports(stack, has_kafka=has_kafka, has_clickhouse=has_clickhouse)
        environment = addresses(stack, data, environ)
        members = members_of(
            stack, data, environment, has_kafka=has_kafka, has_clickhouse=has_clickhouse
        )

        async def before_gateway() -> None:
            say("making topics, tables and a write key")
            await _provision(provisioning, environment, len(stack.brokers) if has_kafka else 0)
            await _step(["sinks", "migrate"], environment, data)
            key_file = data / "run" / "write-key"
            write_private(key_file, stack.write_key.encode())
            key = ["--key-file", str(key_file), "--data", str(data)]
            await _step(["gateway", "keys", "add", DEMO_APP, *key], environment, data)

        async def announce() -> None:
            say("everything is ready")
            on_ready(stack)

        boss = Supervisor(data, members, say)
        await boss.run(stop, {"gateway": before_gateway}, announce)
    finally:
        held.close()


def _check_ports(stack: Stack, *, has_kafka: bool, has_clickhouse: bool) -> None:
    ports = [("--gateway-port", stack.gateway_port), ("--console-port", stack.console_port)]
    if has_clickhouse:
        ports.append(("--clickhouse-port", stack.clickhouse_port))
    if has_kafka:
        ports += [("--kafka-port", one.port) for one in stack.brokers]
    for option, port in ports:
        if not is_free(port):
            raise StackError(
                f"port {port} is taken by another program; choose one with {option} "
                "(0 picks a free one)"
            )


async def _provision(
    options: ProvisionOptions, environment: Mapping[str, str], brokers: int
) -> None:
    """Every one of our own brokers has a copy of every record; 0: the brokers are not ours."""
    here = ProvisionOptions(
        bootstrap=environment["TELEMETRY_KAFKA_BOOTSTRAP"],
        security={} if brokers else options.security,
        replication_factor=brokers or options.replication_factor,
        partitions=options.partitions,
        retention_ms=options.retention_ms,
    )
    try:
        await provision(here)
    except ProvisionError as error:
        raise StackError(str(error)) from None


async def _step(module: list[str], environment: Mapping[str, str], data: Path) -> None:
    """Run one of the product's own commands to its end. Raises StackError with its words."""
    log_file = data / "logs" / "setup.log"
    command = [sys.executable, "-m", *module]
    process = await start(command, environment, log_file)
    try:
        async with asyncio.timeout(STEP_SECONDS):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        code = -1
    if code != 0:
        text = last_lines(log_file)
        raise StackError(f"`{' '.join(module[:2])}` failed; its log says:\n{text}")
