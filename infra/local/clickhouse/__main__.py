"""python -m infra.local.clickhouse: serve one data folder on loopback."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import site
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import msgspec
import uvicorn

from infra.local.clickhouse import landlock
from infra.local.clickhouse.access import Users
from infra.local.clickhouse.app import ClickHouseFront
from infra.local.clickhouse.engine import Engine
from infra.local.clickhouse.errors import ClickHouseError

GOOD, FOUND_WRONG, BAD_USAGE = 0, 1, 2
DRAIN_SECONDS = 20
READABLE = ("/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/dev")


class _Server(uvicorn.Server):
    """uvicorn's server without its own signal handling, which would end with the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Parse the arguments, fence the process in, open the folder, serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.clickhouse", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the engine's data")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--users", type=Path, required=True, help="JSON file of both users")
    parser.add_argument("--max-memory-megabytes", type=int, default=2000)
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this process ends")
    options = parser.parse_args()
    folder: Path = options.data.resolve()
    try:
        users = msgspec.json.decode(options.users.read_bytes(), type=Users)
    except (OSError, msgspec.DecodeError) as error:
        _fail(f"--users: {error}", BAD_USAGE)
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _fail(f"another process serves {folder}", FOUND_WRONG)
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        _fail(f"--port: cannot listen on {options.host}:{options.port}: {error}", BAD_USAGE)
    if not _fence(folder):
        _say("this system has no Landlock: SQL of the writer can read files")
    memory = options.max_memory_megabytes * 1_000_000
    try:
        engine = Engine(folder, users.database, memory)
    except ClickHouseError as error:
        _fail(f"cannot open {folder}: {error}", FOUND_WRONG)
    front = ClickHouseFront(engine, users)
    try:
        asyncio.run(_serve(front, listener, options.parent_pid))
    finally:
        front.close()


def _listen(host: str, port: int) -> socket.socket:
    """A TCP socket that says so: asyncio turns Nagle's delay off only where `proto` is TCP."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


def _fence(folder: Path) -> bool:
    python = [sys.prefix, sys.base_prefix, *site.getsitepackages()]
    code = Path(__file__).resolve().parents[3]
    readable = [Path(path).resolve() for path in (*READABLE, *python)]
    # The code's own packages only: the folder around them may be somebody's working copy.
    readable += [code / name for name in ("infra", "gateway", "sinks")]
    return landlock.restrict(readable, [folder, Path("/dev/null")])


async def _serve(front: ClickHouseFront, listener: socket.socket, parent_pid: int) -> None:
    config = uvicorn.Config(
        front,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_until_parent_ends(parent_pid, stop))
        host, port = listener.getsockname()[:2]
        _say(f"clickhouse ready http://{host}:{port}")
        await server.serve(sockets=[listener])
        watch.cancel()


async def _until_parent_ends(pid: int, stop: Callable[[], None]) -> None:
    """Whoever started us may be killed: nobody would end us then."""
    while pid:
        await asyncio.sleep(1.0)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            stop()
            return


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(text: str, code: int) -> NoReturn:
    sys.stderr.write(f"clickhouse: {text}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
