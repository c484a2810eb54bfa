-- Every event as it came: timelines, ad hoc questions, the source of truth, and the sink's ledger.
-- A row stored twice heals at merge time or with FINAL: the sorting key holds only values that a
-- re-sent event repeats (never received_at or ts).
CREATE TABLE IF NOT EXISTS telemetry.events
(
    event_id            UUID                            CODEC(ZSTD(1)),
    source_event_id     String                          CODEC(ZSTD(1)),   -- the original of an id that was no UUID
    app_id              LowCardinality(String),                           -- the write key's app
    app_package         LowCardinality(String),
    event_type          LowCardinality(String),                           -- no Enum: a new type needs no ALTER
    event_name          LowCardinality(String),
    device_id           String                          CODEC(ZSTD(1)),
    user_id             String                          CODEC(ZSTD(1)),
    session_id          UUID                            CODEC(ZSTD(1)),   -- all zero: none
    sequence            UInt64                          CODEC(T64, ZSTD(1)),  -- per install; 0: not sent
    occurred_at         DateTime64(3, 'UTC')            CODEC(DoubleDelta, ZSTD(1)),  -- the device's clock, raw
    sent_at             DateTime64(3, 'UTC')            CODEC(Delta, ZSTD(1)),        -- 1970: not sent
    received_at         DateTime64(3, 'UTC')            CODEC(Delta, ZSTD(1)),
    ts                  DateTime64(3, 'UTC')            CODEC(DoubleDelta, ZSTD(1)),  -- corrected; the one to ask for
    time_quality        LowCardinality(String),
    app_version         LowCardinality(String),
    app_build           LowCardinality(String),
    os_name             LowCardinality(String),
    os_version          LowCardinality(String),
    device_manufacturer LowCardinality(String),
    device_model        LowCardinality(String),
    device_type         LowCardinality(String),
    locale              LowCardinality(String),
    timezone            LowCardinality(String),
    network_type        LowCardinality(String),
    carrier             LowCardinality(String),
    sdk_name            LowCardinality(String),
    sdk_version         LowCardinality(String),
    protocol            LowCardinality(String),
    request_id          String                          CODEC(ZSTD(1)),
    country             LowCardinality(String),
    duration_ms         UInt32                          CODEC(T64, ZSTD(1)),
    crash_kind          LowCardinality(String),
    crash_fatal         Bool,
    crash_type          LowCardinality(String),
    crash_reason        String                          CODEC(ZSTD(3)),
    crash_stack         String                          CODEC(ZSTD(3)),
    crash_group         UInt64                          CODEC(ZSTD(1)),
    crash_group_version UInt8                           CODEC(ZSTD(1)),
    properties          Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    kafka_cluster       LowCardinality(String),
    kafka_topic         LowCardinality(String),
    kafka_partition     UInt16                          CODEC(ZSTD(1)),
    kafka_offset        UInt64                          CODEC(Delta, ZSTD(1)),
    chunk_start         UInt64                          CODEC(ZSTD(1)),   -- first offset of the chunk this row came in
    chunk_end           UInt64                          CODEC(ZSTD(1)),   -- one past its last, dropped records included
    chunk_duplicates    UInt32                          CODEC(ZSTD(1)),   -- dropped in the chunk, of this row's app and hour
    chunk_dead          UInt32                          CODEC(ZSTD(1)),   -- dead-lettered, of this row's app and hour
    inserted_at         DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),  -- left out of every INSERT
    INDEX ix_event    event_id        TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_source   source_event_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX ix_session  session_id      TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_ts       ts              TYPE minmax GRANULARITY 1,
    INDEX ix_received received_at     TYPE minmax GRANULARITY 1,
    INDEX ix_offset   kafka_offset    TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)                 -- so a chunk is one part, two at a month's turn
PRIMARY KEY (app_id, event_type, toDate(occurred_at), device_id)
ORDER BY (
    app_id,                                        -- every question names its app
    event_type,                                    -- most name a type
    toDate(occurred_at),                           -- and days
    device_id,                                     -- a device's rows of a day lie together
    occurred_at,
    event_id                                       -- what makes a re-send the same row
)
TTL toDateTime(received_at) + INTERVAL 400 DAY     -- only on our own clock: a phone's may say 1970
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- Same columns, keeps nothing: a refused chunk is parsed here, piece by piece, to find its bad rows.
CREATE TABLE IF NOT EXISTS telemetry.events_probe AS telemetry.events ENGINE = Null;
