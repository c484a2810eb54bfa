"""What is stored of one device or user: counted, then deleted, what depends on events first.

Ended at any line, it is run again: what the events still tell is deleted then.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct

from gateway.contract.forgotten import Kind
from sinks.clickhouse.sink import guarded

DELETE_SECONDS = 600.0
NO_SESSION = "toUUID('00000000-0000-0000-0000-000000000000')"


class Who(Struct, frozen=True):
    """Whom to forget; `until_ms` None: whatever there is."""

    app_id: str
    kind: Kind
    identifier: str
    until_ms: int | None


class Step(Struct, frozen=True):
    """One kind of rows that goes."""

    name: str
    table: str
    condition: str
    change: str = "DELETE WHERE"


def steps_of(who: Who) -> list[Step]:
    """In their order. The ids stand there as hexadecimal texts: nothing in them is SQL."""
    app, own = f"app_id = {_text(who.app_id)}", _text(who.identifier)
    events = f"{app} AND {who.kind}_id = {own}"
    came = dead = seen = ""
    if who.until_ms is not None:
        moment = datetime.fromtimestamp(who.until_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        until = f"toDateTime64('{moment[:-3]}', 3, 'UTC')"
        came, dead = f" AND received_at <= {until}", f" AND dead_at <= {until}"
        seen = f" AND day <= toDate({until})"
    mine = f"FROM telemetry.events WHERE {events}{came}"
    others = f"FROM telemetry.events WHERE {app} AND NOT ({who.kind}_id = {own}{came})"
    # A session or a device's day goes when an event of it goes and none stays.
    sessions = (
        f"{app} AND session_id IN (SELECT session_id {mine} AND session_id != {NO_SESSION})"
        f" AND session_id NOT IN (SELECT session_id {others})"
    )
    a_day = "device_id, toDate(ts), app_version"
    days = (
        f"{app} AND (device_id, day, app_version) IN (SELECT {a_day} {mine})"
        f" AND (device_id, day, app_version) NOT IN (SELECT {a_day} {others})"
    )
    if who.kind is Kind.DEVICE and who.until_ms is None:  # also what `events` no longer knows
        sessions = days = f"{app} AND device_id = {own}"
    quoted = {json.dumps(who.identifier, ensure_ascii=one) for one in (True, False)}
    tells = " OR ".join(f"position(original, {_text(one)}) > 0" for one in sorted(quoted))
    named = f"(position(crash_reason, {own}) > 0 OR position(crash_stack, {own}) > 0)"
    letters = f"{app}{dead} AND ({tells}"
    letters += f" OR device_id = {own})" if who.kind is Kind.DEVICE else ")"
    return [
        Step("sessions", "sessions", sessions),
        Step("device_days", "device_days", days),
        Step(
            "crash_samples", "crash_groups", f"{app} AND {named}{seen}",
            "UPDATE crash_reason = '', crash_stack = '' WHERE",
        ),
        Step("dead_letters", "dead_letters", letters),
        Step("events", "events", f"{events}{came}"),
    ]  # fmt: skip


def _text(value: str) -> str:
    return f"unhex('{value.encode('utf-8', 'replace').hex()}')"


class Forgetter:
    """Deletes from the live tables. Raises Retryable, Misconfigured."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def run(self, who: Who) -> dict[str, int]:
        """How many rows of each kind there were."""
        counts: dict[str, int] = {}
        for step in steps_of(who):
            sql = f"SELECT count() FROM telemetry.{step.table} WHERE {step.condition}"  # noqa: S608
            found = await guarded(self._client.query(sql), DELETE_SECONDS)
            counts[step.name] = int(found.result_rows[0][0])
            if not counts[step.name]:
                continue
            if step.table == "events":
                await self._note(step.condition)
            await self._do(
                f"ALTER TABLE telemetry.{step.table} {step.change} {step.condition}"
                " SETTINGS mutations_sync = 2"
            )
        return counts

    async def _note(self, condition: str) -> None:
        """Where they lay, for the account; before they go."""
        await self._do(
            "INSERT INTO telemetry.forgotten"  # noqa: S608
            " SELECT kafka_cluster, kafka_topic, kafka_partition, kafka_offset, app_id,"
            f" toStartOfHour(received_at) FROM telemetry.events WHERE {condition}"
        )

    async def _do(self, statement: str) -> None:
        await guarded(self._client.command(statement), DELETE_SECONDS)
