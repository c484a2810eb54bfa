-- Device-days: active devices, retention, crash-free devices. At most one row per device, day and
-- version; idempotent.
CREATE TABLE IF NOT EXISTS telemetry.device_days
(
    app_id      LowCardinality(String),
    day         Date,
    app_version LowCardinality(String),
    device_id   String CODEC(ZSTD(1)),
    os_name     SimpleAggregateFunction(any, LowCardinality(String)),
    country     SimpleAggregateFunction(any, LowCardinality(String)),
    first_ts    SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_ts     SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    opened      SimpleAggregateFunction(max, UInt8),
    crashed     SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfQuarter(day)                 -- an insert may touch 100 partitions
ORDER BY (
    app_id,                                        -- every question names its app
    day,                                           -- and days
    app_version,                                   -- crash-free devices are asked per release
    device_id                                      -- what the row is about
)
TTL day + INTERVAL 800 DAY                         -- two years, so that a year can be compared
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.device_days_mv TO telemetry.device_days AS
SELECT
    app_id,
    toDate(ts) AS day,
    app_version,
    device_id,
    any(os_name) AS os_name,
    any(country) AS country,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    max(event_type IN ('app_open', 'session_start')) AS opened,
    max(event_type = 'app_crash') AS crashed
FROM telemetry.events
GROUP BY app_id, day, app_version, device_id;
