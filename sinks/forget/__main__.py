"""telemetry-sink forget: arguments, the receipt, exit codes."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.contract.forgotten import Kind, Wish, mark_of
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD, APP_FORGOTTEN
from gateway.runtime import BAD_USAGE, FOUND_WRONG, now_ms
from sinks.clickhouse import sql
from sinks.clickhouse.forget import DELETE_SECONDS, Forgetter, Who
from sinks.clickhouse.shadow import SHADOW, Shadow
from sinks.command import fail, load
from sinks.config import SinkConfig
from sinks.kafka_clients import reach
from sinks.rebuild.log_reader import LogReader
from sinks.sink import Misconfigured, Retryable
from sinks.wishes import write_wish

DOOR_SECONDS = 3.0  # for gateways to have read the wish
STORED_SECONDS = 60.0  # for the sink to store what came before
LOOK_SECONDS = 0.2


class NotForgotten(Exception):
    """Something of them may still be stored. The text says what to do."""


def forget_command(
    of_app: Annotated[str, typer.Option("--app", help="the app")],
    device: Annotated[str | None, typer.Option("--device", help="forget this device")] = None,
    user: Annotated[str | None, typer.Option("--user", help="forget this user")] = None,
    past_only: Annotated[
        bool, typer.Option("--past-only", help="erase what there is; what comes later is welcome")
    ] = False,
) -> None:
    """Forget a device or a user: stop what they send, and delete what is stored of them.

    Prints a receipt. The wish stays in Kafka as a hash, so that gateways and replays keep to it.
    The log keeps its copy until its retention. Run it again after a gateway was offline: what its
    spool held may have come since.

    Exit code 1: something may still be stored; run it again.

    Example: telemetry-sink forget --app shop --device 7f3c9a10
    """
    if (device is None) == (user is None):
        raise fail("give one of --device and --user", BAD_USAGE)
    identifier = device if device is not None else user
    if not identifier or not of_app:
        raise fail("--app, --device and --user must not be empty", BAD_USAGE)
    kind = Kind.DEVICE if device is not None else Kind.USER
    wish = Wish(of_app, kind, now_ms(), past_only)
    try:
        receipt = asyncio.run(_forget(load(), wish, identifier))
    except (NotForgotten, Retryable, Misconfigured, sql.Unreachable) as error:
        raise fail(str(error), FOUND_WRONG) from None
    typer.echo(json.dumps(receipt, indent=2))


async def _forget(config: SinkConfig, wish: Wish, identifier: str) -> dict[str, Any]:
    mark = mark_of(wish.app_id, wish.kind, identifier)
    client = await sql.connect(
        sql.Server(
            url=config.clickhouse_url,
            user=config.clickhouse_user,
            password=config.clickhouse_password,
            ca_path=config.clickhouse_ca_path,
            timeout_seconds=int(DELETE_SECONDS),
        )
    )
    try:
        await _check_no_replay(client)
        await write_wish(reach(config), mark, wish)
        if not wish.past_only:
            await asyncio.sleep(DOOR_SECONDS)
        await _until_stored(config)
        until = wish.at_ms if wish.past_only else None
        counts = await Forgetter(client).run(Who(wish.app_id, wish.kind, identifier, until))
        await _check_no_replay(client)  # one that has begun meanwhile may have copied them
    finally:
        await client.close()
    at = datetime.fromtimestamp(wish.at_ms / 1000, UTC)
    return {
        "app": wish.app_id,
        "kind": wish.kind,
        "mark": mark,
        "asked_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "stopped_at_the_door": not wish.past_only,
        "deleted": counts,
        "kept": f"the log until its retention; the mark in {APP_FORGOTTEN.name}; counts",
    }


async def _check_no_replay(client: sql.AsyncClient) -> None:
    if await Shadow(client).exists():
        raise NotForgotten(f"database {SHADOW} is there: end the replay, then run this again")


async def _until_stored(config: SinkConfig) -> None:
    """Until the sink has stored all that the log holds now. Raises NotForgotten, Retryable."""
    reader = await LogReader.open(reach(config))
    try:
        # In this order: the sink writes letters of events before it is done with them.
        for topic in (APP_EVENTS.name, APP_EVENTS_DEAD.name):
            await _until_topic_stored(reader, config.group, topic)
    finally:
        await reader.close()


async def _until_topic_stored(reader: LogReader, group: str, topic: str) -> None:
    partitions = await reader.partitions(topic)
    ends = await reader.ends(partitions)
    until = time.monotonic() + STORED_SECONDS
    while True:
        commits = await reader.committed(group, partitions)
        if all(commits[name].offset >= end for name, end in ends.items() if end):
            return
        if time.monotonic() > until:
            raise NotForgotten(
                f"the sink of group {group} has not stored what {topic} held, within "
                f"{STORED_SECONDS:g} s: run this again"
            )
        await asyncio.sleep(LOOK_SECONDS)
