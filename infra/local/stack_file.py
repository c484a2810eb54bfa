"""What a stack keeps for ever: its ports, users, passwords and write key, in its data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.ports import HOST, BrokerPorts, free_ports, is_free

DEFAULT_PORTS = {"gateway": 8080, "clickhouse": 8123, "kafka": 9092, "console": 8090}
BROKERS = (1, 3)  # how many a stack may have: none may be lost, or one
DEMO_APP = "demo"


class StackFileError(Exception):
    """The file cannot be read as a stack. The text says what to do."""


class Account(Struct, frozen=True, kw_only=True):
    user: str
    password: str


class Stack(Struct, frozen=True, kw_only=True):
    """One embedded stack."""

    gateway_port: int
    clickhouse_port: int
    kafka_port: int
    controller_port: int
    sink_port: int
    console_port: int = DEFAULT_PORTS["console"]
    writer: Account
    reader: Account
    write_key: str
    more_brokers: tuple[BrokerPorts, ...] = ()  # beside the first one

    @property
    def brokers(self) -> tuple[BrokerPorts, ...]:
        first = BrokerPorts(port=self.kafka_port, controller_port=self.controller_port)
        return (first, *self.more_brokers)

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.gateway_port}"

    @property
    def clickhouse_url(self) -> str:
        return f"http://{HOST}:{self.clickhouse_port}"

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{one.port}" for one in self.brokers)

    @property
    def console_url(self) -> str:
        return f"http://{HOST}:{self.console_port}"

    @property
    def sink_url(self) -> str:
        return f"http://{HOST}:{self.sink_port}"


class Wanted(Struct, frozen=True, kw_only=True):
    """What the command line asks for; None leaves what is kept.

    The port 0 picks a free one once. Brokers after the first always have such a port.
    """

    gateway: int | None = None
    clickhouse: int | None = None
    kafka: int | None = None
    console: int | None = None
    brokers: int | None = None


def stack_path(data: Path) -> Path:
    return data / "stack.json"


def load(data: Path) -> Stack | None:
    """The stack of a data folder; None where none was ever started. Raises StackFileError."""
    path = stack_path(data)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stack)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StackFileError(
            f"{path} is damaged: {error}. Move it away, and the next start picks new ports, "
            "passwords and a new write key; events stay"
        ) from None


def load_or_make(data: Path, wanted: Wanted) -> Stack:
    """The kept stack with the ports that are asked for now, saved readable by its owner only.

    Raises StackFileError.
    """
    kept = load(data)
    check_brokers(kept, wanted)
    stack = settle_ports(kept or _new_stack(wanted.brokers or 1), kept is None, wanted)
    write_private(stack_path(data), msgspec.json.format(msgspec.json.encode(stack)))
    return stack


def check_brokers(kept: Stack | None, wanted: Wanted) -> None:
    """Records lie on the brokers that took them: their number never changes.

    Raises StackFileError.
    """
    if wanted.brokers is not None and wanted.brokers not in BROKERS:
        raise StackFileError(f"--brokers is {wanted.brokers}; it may be 1 or 3")
    if kept is not None and wanted.brokers not in (None, len(kept.brokers)):
        raise StackFileError(
            f"--brokers is {wanted.brokers}, but this stack was made with {len(kept.brokers)}; "
            "leave the option out, or start another stack with --data"
        )


def settle_ports(stack: Stack, is_new: bool, wanted: Wanted) -> Stack:
    """Explicit ports win; a new stack has the defaults; 0 keeps what is kept while it is free."""
    changes: dict[str, Any] = {}
    for name, default in DEFAULT_PORTS.items():
        port: int | None = getattr(wanted, name)
        if port:
            changes[f"{name}_port"] = port
        elif port is None and is_new:
            changes[f"{name}_port"] = default
        elif port == 0 and not is_free(getattr(stack, f"{name}_port")):
            (changes[f"{name}_port"],) = free_ports(1)
    if wanted.kafka == 0:
        changes["more_brokers"] = tuple(_with_free_port(one) for one in stack.more_brokers)
    return msgspec.structs.replace(stack, **changes)


def _with_free_port(broker: BrokerPorts) -> BrokerPorts:
    if is_free(broker.port):
        return broker
    return msgspec.structs.replace(broker, port=free_ports(1)[0])


def _new_stack(brokers: int) -> Stack:
    gateway, clickhouse, kafka, controller, sink, console, *more = free_ports(4 + 2 * brokers)
    return Stack(
        gateway_port=gateway,
        clickhouse_port=clickhouse,
        kafka_port=kafka,
        controller_port=controller,
        sink_port=sink,
        console_port=console,
        writer=Account(user="telemetry", password=secrets.token_urlsafe(18)),
        reader=Account(user="reader", password=secrets.token_urlsafe(18)),
        write_key=secrets.token_urlsafe(24),
        more_brokers=tuple(
            BrokerPorts(port=port, controller_port=controller)
            for port, controller in zip(more[::2], more[1::2], strict=True)
        ),
    )


def write_private(path: Path, content: bytes) -> None:
    """Replace a file that only its owner may read; a reader sees the old or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary.replace(path)
