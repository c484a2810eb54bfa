-- What makes the crash stacks of a release readable: R8's mapping.txt and JavaScript source maps, as
-- they were added. The newest of a key counts.
CREATE TABLE IF NOT EXISTS telemetry.mappings
(
    app_id      LowCardinality(String),
    app_version String,                            -- the release, as events name it
    kind        LowCardinality(String),            -- proguard | sourcemap
    name        String,                            -- of a source map: its bundle's file name
    sha256      String,                            -- of the content, in hexadecimal digits
    bytes       UInt64,
    content     String CODEC(ZSTD(3)),
    added_at    DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(added_at)
ORDER BY (app_id, app_version, kind, name);
