-- Crash groups by release and day, with a sample stack; counted by event id, so idempotent.
CREATE TABLE IF NOT EXISTS telemetry.crash_groups
(
    app_id       LowCardinality(String),
    crash_group  UInt64,
    app_version  LowCardinality(String),
    day          Date,
    crash_kind   SimpleAggregateFunction(any, LowCardinality(String)),
    crash_type   SimpleAggregateFunction(any, LowCardinality(String)),
    crash_reason SimpleAggregateFunction(any, String) CODEC(ZSTD(3)),
    crash_stack  SimpleAggregateFunction(any, String) CODEC(ZSTD(3)),
    first_seen   SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen    SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    crashes      AggregateFunction(uniqExact, UUID),
    devices      AggregateFunction(uniqExact, String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)                         -- of ts, which spans at most 13 months
ORDER BY (
    app_id,                                        -- every question names its app
    crash_group,
    app_version,                                   -- regressions are asked per release
    day
)
TTL day + INTERVAL 800 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.crash_groups_mv TO telemetry.crash_groups AS
SELECT
    app_id,
    crash_group,
    app_version,
    toDate(ts) AS day,
    any(crash_kind) AS crash_kind,
    any(crash_type) AS crash_type,
    any(crash_reason) AS crash_reason,
    any(crash_stack) AS crash_stack,
    min(ts) AS first_seen,
    max(ts) AS last_seen,
    uniqExactState(event_id) AS crashes,
    uniqExactState(device_id) AS devices
FROM telemetry.events
WHERE event_type = 'app_crash'
GROUP BY app_id, crash_group, app_version, day;
