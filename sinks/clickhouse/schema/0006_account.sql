-- The account. Of every chunk, per app and hour of arrival: how many of its records became rows,
-- were dropped as re-sends, were dead-lettered. Their sum is the chunk's number of records.
-- Filled by the view from the rows themselves; an app and hour without a row in a chunk (all
-- dropped, all dead) is written by the sink.
CREATE TABLE IF NOT EXISTS telemetry.chunks
(
    kafka_cluster   LowCardinality(String),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt16,
    chunk_start     UInt64,
    chunk_end       UInt64,
    app_id          LowCardinality(String),
    hour            DateTime('UTC'),
    inserted        UInt64,
    duplicates      UInt64,
    dead            UInt64,
    inserted_at     DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX ix_end  chunk_end TYPE minmax GRANULARITY 1,   -- the sink seeks beyond an offset
    INDEX ix_hour hour      TYPE minmax GRANULARITY 1    -- the account asks for days
)
ENGINE = ReplacingMergeTree                        -- unpartitioned: broken records say any hour
ORDER BY (
    kafka_cluster,                                 -- a wiped cluster starts again at offset 0
    kafka_topic,                                   -- each topic has offsets of its own
    kafka_partition,                               -- and each partition
    chunk_start,                                   -- the chunk
    app_id,                                        -- its rows differ in these two alone
    hour
)
TTL toDateTime(inserted_at) + INTERVAL 400 DAY     -- as events; on our own clock
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1;  -- part of the sink's ledger

CREATE MATERIALIZED VIEW IF NOT EXISTS telemetry.chunks_mv TO telemetry.chunks AS
SELECT
    kafka_cluster,
    kafka_topic,
    kafka_partition,
    chunk_start,
    any(chunk_end) AS chunk_end,
    app_id,
    toStartOfHour(received_at) AS hour,
    count() AS inserted,
    any(chunk_duplicates) AS duplicates,
    any(chunk_dead) AS dead
FROM telemetry.events
GROUP BY kafka_cluster, kafka_topic, kafka_partition, chunk_start, app_id, hour;

-- What was rejected at the door or can never be stored: where from, why, and the original.
-- A sink's letter may lie in the topic more than once; its origin is its identity.
CREATE TABLE IF NOT EXISTS telemetry.dead_letters
(
    source           LowCardinality(String),                              -- gateway | sink
    code             LowCardinality(String),
    text             String                       CODEC(ZSTD(3)),
    app_id           LowCardinality(String),
    protocol         LowCardinality(String),
    app_version      LowCardinality(String),
    device_id        String                       CODEC(ZSTD(1)),
    event_id         String                       CODEC(ZSTD(1)),
    request_id       String                       CODEC(ZSTD(1)),
    received_at      DateTime64(3, 'UTC')         CODEC(Delta, ZSTD(1)),  -- of the POST; 1970: unreadable
    position         Int32,                                               -- in the POST; -1: none
    origin_topic     LowCardinality(String),                              -- of a sink's letter
    origin_partition Int32,
    origin_offset    Int64,
    original         String                       CODEC(ZSTD(3)) TTL toDateTime(inserted_at) + INTERVAL 100 DAY,
    original_bytes   UInt32,
    dead_at          DateTime64(3, 'UTC')         CODEC(Delta, ZSTD(1)),  -- when it came into the topic
    kafka_cluster    LowCardinality(String),
    kafka_topic      LowCardinality(String),
    kafka_partition  UInt16,
    kafka_offset     UInt64                       CODEC(Delta, ZSTD(1)),
    chunk_start      UInt64                       CODEC(ZSTD(1)),
    chunk_end        UInt64                       CODEC(ZSTD(1)),
    chunk_duplicates UInt32                       CODEC(ZSTD(1)),
    chunk_dead       UInt32                       CODEC(ZSTD(1)),
    inserted_at      DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    INDEX ix_offset kafka_offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree                        -- unpartitioned: letters may say any time
ORDER BY (
    app_id,                                        -- every question names its app
    source,                                        -- door or sink
    code,                                          -- why
    dead_at,                                       -- when
    kafka_cluster,                                 -- the letter's own place: stored once
    kafka_topic,
    kafka_partition,
    kafka_offset
)
TTL toDateTime(inserted_at) + INTERVAL 400 DAY     -- as the account; `original` goes sooner
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS telemetry.dead_letters_probe AS telemetry.dead_letters ENGINE = Null;
