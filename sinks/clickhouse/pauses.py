"""The pause in which rebuilt tables take the live ones' places, as a table: the permit.

A permit that exists asks every sink to rest at its next chunk boundary. Exchanging the tables is
one statement that needs the permit; so a sink whose patience ends drops it, and an exchange that
comes too late does nothing.
"""

from __future__ import annotations

from clickhouse_connect.driver.asyncclient import AsyncClient

from sinks.clickhouse.sink import guarded
from sinks.pause import Pause

PERMIT = "replay_permit_"

_CURRENT = f"""
SELECT name, dateDiff('second', metadata_modification_time, now())
FROM system.tables
WHERE database = 'telemetry' AND startsWith(name, '{PERMIT}')
ORDER BY metadata_modification_time, name
LIMIT 1
"""  # noqa: S608  # constants only


def permit(pause_id: str) -> str:
    """The table that permits the swap."""
    return f"telemetry.{PERMIT}{pause_id}"


class ClickHousePauses:
    """Pauses as every sink sees them, by the server's own clock."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def current(self) -> Pause | None:
        """The oldest pause asked for. Raises Retryable, Misconfigured."""
        found = (await guarded(self._client.query(_CURRENT))).result_rows
        if not found:
            return None
        ((name, age),) = found
        return Pause(str(name).removeprefix(PERMIT), float(age))

    async def begin(self, pause_id: str) -> None:
        """Raises Retryable, Misconfigured."""
        sql = f"CREATE TABLE {permit(pause_id)} (nothing UInt8) ENGINE = Memory"
        await guarded(self._client.command(sql))

    async def end(self, pause_id: str) -> None:
        """Take the permit away, whoever gave it. Raises Retryable, Misconfigured."""
        await guarded(self._client.command(f"DROP TABLE IF EXISTS {permit(pause_id)} SYNC"))
