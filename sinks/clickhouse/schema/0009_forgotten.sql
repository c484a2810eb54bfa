-- Where rows lay that were forgotten: the place in Kafka, the app, the hour of arrival, and nothing of
-- who it was. The account counts them: they were stored, and no row of `events` shows it any more.
CREATE TABLE IF NOT EXISTS telemetry.forgotten
(
    kafka_cluster   LowCardinality(String),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset    UInt64,
    app_id          LowCardinality(String),
    hour            DateTime('UTC')
)
ENGINE = ReplacingMergeTree                        -- the same wish twice changes nothing
ORDER BY (
    app_id,                                        -- the account asks for an app
    hour,                                          -- and for days
    kafka_cluster,                                 -- the place: forgotten once
    kafka_topic,
    kafka_partition,
    kafka_offset
)
TTL hour + INTERVAL 400 DAY;                       -- as events
