"""telemetry-sink mapping: add, list, remove; and telemetry-sink retrace."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from gateway.runtime import BAD_USAGE, FOUND_WRONG
from sinks.clickhouse import present, sql
from sinks.command import ask, fail, load, server
from sinks.config import SinkConfig
from sinks.retrace import store
from sinks.retrace.extra import check_extra
from sinks.retrace.files import read_file
from sinks.retrace.frames import MappingError
from sinks.retrace.json_frames import readable
from sinks.retrace.retracer import Retraced, Retracer

T = TypeVar("T")

RETRACE_SECONDS = 60.0
MAX_KEPT_BYTES = 2**40  # of one command: what was stored may be used

app = typer.Typer(
    name="mapping",
    help="R8's mappings and source maps of an app's releases, which make crash stacks readable.",
    no_args_is_help=True,
)

App = Annotated[str, typer.Option("--app", help="of this app")]
Release = Annotated[str, typer.Option("--release", help="the release, as its events name it")]


@app.command("add")
def add_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="mapping.txt, NAME.js.map")],
    of_app: App,
    release: Release,
) -> None:
    """Store mapping files of a release. The same again changes nothing; another one replaces it.

    A file in .txt is R8's or ProGuard's mapping; one in .map the source map of the bundle whose
    name stands before that. All are read before the first is stored.

    Example: telemetry-sink mapping add --app shop --release 2.4.1 mapping.txt
    """
    config = load()
    _check(of_app, release)
    try:
        found = [read_file(path, config.mapping_bytes) for path in files]
    except MappingError as error:
        raise fail(str(error), BAD_USAGE) from None
    keys = [(one.kind, one.name) for one in found]
    if len(set(keys)) < len(keys):
        raise fail("two files are of the same kind and name; a release has one of each", BAD_USAGE)

    async def main(client: sql.AsyncClient) -> list[bool]:
        return [await store.add(client, of_app, release, one) for one in found]

    for path, is_new in zip(files, _with_client(config, main), strict=True):
        typer.echo(f"{'added' if is_new else 'known already'}: {path.name}")


@app.command("list")
def list_command(
    of_app: App,
    release: Annotated[str, typer.Option("--release", help="only of this release")] = "",
) -> None:
    """Show the mappings of an app by release.

    Example: telemetry-sink mapping list --app shop
    """
    params = {"app": of_app, "release": release}

    async def main(client: sql.AsyncClient) -> sql.Answer:
        return await sql.run_query(client, "mappings", params, datetime.now(UTC).date())

    answer = _with_client(load(), main)
    console = Console(width=None if sys.stdout.isatty() else 160)
    present.print_table(answer, sql.load("mappings").title, console)


@app.command("remove")
def remove_command(
    of_app: App,
    release: Release,
    name: Annotated[
        str | None, typer.Option("--name", help="only the source map of this bundle")
    ] = None,
) -> None:
    """Remove the mappings of a release.

    Exit code 1: there is none.

    Example: telemetry-sink mapping remove --app shop --release 2.4.1
    """
    config = load()
    _check(of_app, release)

    async def main(client: sql.AsyncClient) -> int:
        return await store.remove(client, of_app, release, name)

    count = _with_client(config, main)
    if not count:
        what = "mapping" if name is None else f"source map of {name}"
        raise fail(f"release {release} of app {of_app} has no {what}", FOUND_WRONG)
    typer.echo(f"removed {count}")


def retrace_command(
    event_id: Annotated[str, typer.Argument(help="the id, as the SDK sent it or as stored")],
    of_app: App,
) -> None:
    """Print the stack of a crash with the names of its source; which mapping told them, on stderr.

    Frames that the mapping does not know stay as they came. Exit code 1: no such event has a stack.

    Example: telemetry-sink retrace 0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f --app shop
    """
    config = load()
    try:
        check_extra()
    except MappingError as error:
        raise fail(str(error), BAD_USAGE) from None

    async def main(client: sql.AsyncClient) -> Retraced | None:
        asking = store.asking(client)
        events = (await asking("event_by_id", {"event_id": event_id, "app": of_app})).as_objects()
        event = next((one for one in events if one["crash_stack"]), None)
        if event is None:
            return None
        retracer = Retracer(asking, kept_bytes=MAX_KEPT_BYTES, seconds=RETRACE_SECONDS)
        try:
            release, stack = str(event["app_version"]), str(event["crash_stack"])
            return await retracer.retraced(of_app, release, stack)
        finally:
            await retracer.close()

    try:
        done = _with_client(config, main)
    except MappingError as error:
        raise fail(str(error), FOUND_WRONG) from None
    if done is None:
        raise fail(f"no event {event_id!r} of app {of_app} has a stack", FOUND_WRONG)
    typer.echo(readable(done.text))
    typer.echo(done.note, err=True)


def _check(of_app: str, release: str) -> None:
    if not of_app or not release:
        raise fail("--app and --release must not be empty", BAD_USAGE)


def _with_client(config: SinkConfig, work: Callable[[sql.AsyncClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = await sql.connect(server(config))
        try:
            return await work(client)
        finally:
            await client.close()

    return ask(main())
