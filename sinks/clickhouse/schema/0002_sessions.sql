-- Sessions: one row per session, day and release. Readers group by session_id again: a session may
-- pass midnight, and parts may be unmerged. Idempotent: the same event twice changes nothing.
CREATE TABLE IF NOT EXISTS telemetry.sessions
(
    app_id      LowCardinality(String),
    day         Date,
    session_id  UUID,
    app_version LowCardinality(String),
    device_id   SimpleAggregateFunction(any, String),
    os_name     SimpleAggregateFunction(any, LowCardinality(String)),
    country     SimpleAggregateFunction(any, LowCardinality(String)),
    started_at  SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    ended_at    SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    duration_ms SimpleAggregateFunction(max, UInt32),
    opened      SimpleAggregateFunction(max, UInt8),
    closed      SimpleAggregateFunction(max, UInt8),
    crashed     SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfQuarter(day)                 -- an insert may touch 100 partitions
ORDER BY (
    app_id,                                        -- every question names its app
    day,                                           -- and days
    session_id,                                    -- what the row is about
    app_version                                    -- an app may be updated under a session
)
TTL day + INTERVAL 430 DAY                         -- as events, and a month for late ones
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.sessions_mv TO telemetry.sessions AS
SELECT
    app_id,
    toDate(ts) AS day,
    session_id,
    app_version,
    any(device_id) AS device_id,
    any(os_name) AS os_name,
    any(country) AS country,
    min(ts) AS started_at,
    max(ts) AS ended_at,
    max(duration_ms) AS duration_ms,
    max(event_type IN ('app_open', 'session_start')) AS opened,
    max(event_type IN ('app_close', 'session_end')) AS closed,
    max(event_type = 'app_crash') AS crashed
FROM telemetry.events
WHERE session_id != toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY app_id, day, session_id, app_version;
