"""The SQL of a regrouping. Only two columns of `events` and the rows of `crash_groups` change."""

from __future__ import annotations

from collections.abc import Mapping

PENDING = """event_type IN ('app_crash', 'error')
      AND crash_group_version > 0
      AND crash_group_version < {version:UInt8}
      AND inserted_at <= {until:DateTime64(3, 'UTC')}"""

# Key of a row: what makes a re-sent event the same one.
_KEY = "cityHash64(app_id, device_id, event_id)"

MONTHS = f"""
    SELECT _partition_id AS month, count() AS crashes
    FROM telemetry.events
    WHERE {PENDING}
    GROUP BY month
    ORDER BY month"""  # noqa: S608  # constants only

LEFT = """
    SELECT count()
    FROM telemetry.events
    WHERE event_type IN ('app_crash', 'error')
      AND crash_group_version > 0
      AND crash_group_version < {version:UInt8}"""

# A run of the sorting key whose rows lie together.
RUNS = f"""
    SELECT app_id, event_type, toDate(occurred_at) AS day
    FROM telemetry.events
    WHERE _partition_id = {{month:String}} AND {PENDING}
    GROUP BY app_id, event_type, day
    ORDER BY app_id, event_type, day"""  # noqa: S608  # constants only

PAGE = f"""
    SELECT
        device_id, occurred_at, event_id, {_KEY} AS key, crash_group,
        crash_kind, crash_type, crash_reason, crash_stack
    FROM telemetry.events
    WHERE app_id = {{app:String}}
      AND event_type = {{type:String}}
      AND toDate(occurred_at) = {{day:Date}}
      AND (device_id, occurred_at, event_id)
          > ({{device:String}}, {{at:DateTime64(3, 'UTC')}}, {{event:UUID}})
      AND _partition_id = {{month:String}}
      AND {PENDING}
    ORDER BY device_id, occurred_at, event_id
    LIMIT {{limit:UInt32}}"""  # noqa: S608  # constants only

# Days whose crashes are all stored still: those before the oldest row may have lost some to age.
DAYS = f"""
    SELECT app_id, groupUniqArray(toDate(ts)) AS days
    FROM telemetry.events
    WHERE _partition_id = {{month:String}}
      AND {PENDING}
      AND event_type = 'app_crash'
      AND toDate(ts) >= (SELECT toDate(min(received_at)) FROM telemetry.events)
    GROUP BY app_id
    ORDER BY app_id"""  # noqa: S608  # constants only

FORGET_DAYS = """
    ALTER TABLE telemetry.crash_groups DELETE
    WHERE app_id = {app:String} AND has({days:Array(Date)}, day)"""

# What the view of the schema makes of new rows. The same row twice counts once.
COUNT_DAYS = """
    INSERT INTO telemetry.crash_groups
        (app_id, crash_group, app_version, day, crash_kind, crash_type, crash_reason, crash_stack,
         first_seen, last_seen, crashes, devices)
    SELECT
        app_id, events.crash_group, app_version, toDate(ts) AS day,
        max(events.crash_kind), max(events.crash_type), max(events.crash_reason),
        max(events.crash_stack), min(ts), max(ts),
        uniqExactState(event_id), uniqExactState(device_id)
    FROM telemetry.events AS events
    WHERE event_type = 'app_crash'
      AND app_id = {app:String}
      AND has({days:Array(Date)}, toDate(ts))
    GROUP BY app_id, events.crash_group, app_version, day"""

MARK = f"""
    ALTER TABLE telemetry.events UPDATE crash_group_version = {{version:UInt8}}
    IN PARTITION ID {{month:String}}
    WHERE {PENDING}"""

UNFINISHED = """
    SELECT count(), max(latest_fail_reason)
    FROM system.mutations
    WHERE database = 'telemetry' AND table = {table:String} AND NOT is_done"""


def move(groups: Mapping[int, int]) -> str:
    """Give rows another group. `groups` has the new one by the row's key."""
    keys = ",".join(map(str, groups))
    values = ",".join(map(str, groups.values()))
    return f"""
    ALTER TABLE telemetry.events
    UPDATE crash_group = transform({_KEY}, [{keys}]::Array(UInt64), [{values}]::Array(UInt64),
        crash_group)
    IN PARTITION ID {{month:String}}
    WHERE {PENDING}"""
