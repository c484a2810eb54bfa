-- Crash groups by release and day, with a sample of each text; counted by event id, so idempotent.
-- The samples are the greatest of the group, not any: the same crash twice cannot change them.
CREATE TABLE IF NOT EXISTS telemetry.crash_groups
(
    app_id       LowCardinality(String),
    crash_group  UInt64,
    app_version  LowCardinality(String),
    day          Date,
    crash_kind   SimpleAggregateFunction(max, LowCardinality(String)),
    crash_type   SimpleAggregateFunction(max, LowCardinality(String)),
    crash_reason SimpleAggregateFunction(max, String) CODEC(ZSTD(3)),
    crash_stack  SimpleAggregateFunction(max, String) CODEC(ZSTD(3)),
    first_seen   SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen    SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    crashes      AggregateFunction(uniqExact, UUID),
    devices      AggregateFunction(uniqExact, String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfQuarter(day)                 -- an insert may touch 100 partitions
ORDER BY (
    app_id,                                        -- every question names its app
    crash_group,                                   -- what the row is about
    app_version,                                   -- regressions are asked per release
    day                                            -- and by time
)
TTL day + INTERVAL 800 DAY                         -- two years, so that a year can be compared
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.crash_groups_mv TO telemetry.crash_groups AS
SELECT
    app_id,
    crash_group,
    app_version,
    toDate(ts) AS day,
    max(crash_kind) AS crash_kind,
    max(crash_type) AS crash_type,
    max(crash_reason) AS crash_reason,
    max(crash_stack) AS crash_stack,
    min(ts) AS first_seen,
    max(ts) AS last_seen,
    uniqExactState(event_id) AS crashes,
    uniqExactState(device_id) AS devices
FROM telemetry.events
WHERE event_type = 'app_crash'
GROUP BY app_id, crash_group, app_version, day;
