-- Filters by platform and country need one answer, whatever the order of rows and merges: a session
-- or device-day has the greatest of its events' values, so that an empty one never hides a known
-- one. It was any of them. Rows that are there keep what they have.
ALTER TABLE telemetry.sessions
    MODIFY COLUMN device_id SimpleAggregateFunction(max, String),
    MODIFY COLUMN os_name SimpleAggregateFunction(max, LowCardinality(String)),
    MODIFY COLUMN country SimpleAggregateFunction(max, LowCardinality(String));

ALTER TABLE telemetry.sessions_mv MODIFY QUERY
SELECT
    app_id,
    toDate(ts) AS day,
    session_id,
    app_version,
    max(device_id) AS device_id,
    max(os_name) AS os_name,
    max(country) AS country,
    min(ts) AS started_at,
    max(ts) AS ended_at,
    max(duration_ms) AS duration_ms,
    max(event_type IN ('app_open', 'session_start')) AS opened,
    max(event_type IN ('app_close', 'session_end')) AS closed,
    max(event_type = 'app_crash') AS crashed
FROM telemetry.events
WHERE session_id != toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY app_id, day, session_id, app_version;

ALTER TABLE telemetry.device_days
    MODIFY COLUMN os_name SimpleAggregateFunction(max, LowCardinality(String)),
    MODIFY COLUMN country SimpleAggregateFunction(max, LowCardinality(String));

ALTER TABLE telemetry.device_days_mv MODIFY QUERY
SELECT
    app_id,
    toDate(ts) AS day,
    app_version,
    device_id,
    max(os_name) AS os_name,
    max(country) AS country,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    max(event_type IN ('app_open', 'session_start')) AS opened,
    max(event_type = 'app_crash') AS crashed
FROM telemetry.events
GROUP BY app_id, day, app_version, device_id;
