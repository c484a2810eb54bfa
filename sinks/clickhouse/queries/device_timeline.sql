-- title: What one device did, in its order
-- param: app String the app to ask about
-- param: device String the device's id
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- columns: ts, event_type, sequence, session_id, app_version, event_name, event_id, occurred_at
-- columns: received_at, time_quality, user_id, crash_group, properties
-- meaning: One row per event, in the device's own order: by sequence where the SDK sends it, which
-- meaning: no clock can disturb. An event without one (0) follows the highest sequence that the
-- meaning: period had reached by its ts; several of them stand by ts. Of copies that were stored
-- meaning: the first one is shown.
SELECT
    ts,
    event_type,
    sequence,
    session_id,
    app_version,
    event_name,
    event_id,
    occurred_at,
    received_at,
    time_quality,
    user_id,
    if(event_type = 'app_crash' OR group_number != 0,
        lower(leftPad(hex(group_number), 16, '0')), '') AS crash_group,
    properties
FROM
(
    SELECT
        ts,
        event_type,
        sequence,
        session_id,
        app_version,
        event_name,
        event_id,
        occurred_at,
        received_at,
        time_quality,
        user_id,
        crash_group AS group_number,
        properties,
        max(sequence) OVER (ORDER BY ts, sequence, event_id) AS reached
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND device_id = {device:String}
      AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
)
ORDER BY if(sequence = 0, reached, sequence), sequence = 0, ts, event_id, received_at
LIMIT 1 BY event_id;
