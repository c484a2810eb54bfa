-- Hourly counters for dashboards. `events` is the one plain sum: exact through the insert token
-- and the sink's event-id window, not by itself.
CREATE TABLE IF NOT EXISTS telemetry.hourly
(
    app_id      LowCardinality(String),
    hour        DateTime('UTC'),
    event_type  LowCardinality(String),
    app_version LowCardinality(String),
    os_name     LowCardinality(String),
    country     LowCardinality(String),
    events      SimpleAggregateFunction(sum, UInt64),
    devices     AggregateFunction(uniqCombined64(14), String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfQuarter(hour)                -- an insert may touch 100 partitions
ORDER BY (
    app_id,                                        -- every question names its app
    hour,                                          -- and a range of time
    event_type,                                    -- most filter by type
    app_version,                                   -- then split by release,
    os_name,                                       -- system
    country                                        -- or country
)
TTL hour + INTERVAL 800 DAY                        -- two years, so that a year can be compared
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.hourly_mv TO telemetry.hourly AS
SELECT
    app_id,
    toStartOfHour(ts) AS hour,
    event_type,
    app_version,
    os_name,
    country,
    count() AS events,
    uniqCombined64State(14)(device_id) AS devices
FROM telemetry.events
GROUP BY app_id, hour, event_type, app_version, os_name, country;
