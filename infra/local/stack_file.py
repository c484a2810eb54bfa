"""What a stack keeps for ever: its ports, users, passwords and write key, in its data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from infra.local.ports import HOST, free_ports, is_free

DEFAULT_PORTS = {"gateway": 8080, "clickhouse": 8123, "kafka": 9092}
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
    writer: Account
    reader: Account
    write_key: str

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.gateway_port}"

    @property
    def clickhouse_url(self) -> str:
        return f"http://{HOST}:{self.clickhouse_port}"

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.kafka_port}"

    @property
    def sink_url(self) -> str:
        return f"http://{HOST}:{self.sink_port}"


class WantedPorts(Struct, frozen=True, kw_only=True):
    """Ports as the command line names them: None leaves what is kept, 0 picks a free one once."""

    gateway: int | None = None
    clickhouse: int | None = None
    kafka: int | None = None


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


def load_or_make(data: Path, wanted: WantedPorts) -> Stack:
    """The kept stack with the ports that are asked for now, saved readable by its owner only."""
    stack = settle_ports(load(data) or _new_stack(), load(data) is None, wanted)
    write_private(stack_path(data), msgspec.json.format(msgspec.json.encode(stack)))
    return stack


def settle_ports(stack: Stack, is_new: bool, wanted: WantedPorts) -> Stack:
    """Explicit ports win; a new stack has the defaults; 0 keeps what is kept while it is free."""
    changes: dict[str, int] = {}
    for name, default in DEFAULT_PORTS.items():
        port: int | None = getattr(wanted, name)
        if port:
            changes[f"{name}_port"] = port
        elif port is None and is_new:
            changes[f"{name}_port"] = default
        elif port == 0 and not is_free(getattr(stack, f"{name}_port")):
            (changes[f"{name}_port"],) = free_ports(1)
    return msgspec.structs.replace(stack, **changes)


def _new_stack() -> Stack:
    gateway, clickhouse, kafka, controller, sink = free_ports(5)
    return Stack(
        gateway_port=gateway,
        clickhouse_port=clickhouse,
        kafka_port=kafka,
        controller_port=controller,
        sink_port=sink,
        writer=Account(user="telemetry", password=secrets.token_urlsafe(18)),
        reader=Account(user="reader", password=secrets.token_urlsafe(18)),
        write_key=secrets.token_urlsafe(24),
    )


def write_private(path: Path, content: bytes) -> None:
    """Replace a file that only its owner may read; a reader sees the old or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary.replace(path)
