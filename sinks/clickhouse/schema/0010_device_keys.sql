-- A device as a number: what devices are counted and grouped by, which its text makes dearer.
-- It is the hash that uniqExact itself makes of a text. ClickHouse computes it from device_id, in
-- rows that are there too: when they are read, until the background has written it down.
ALTER TABLE telemetry.device_days
    ADD COLUMN IF NOT EXISTS device_key UInt128
        MATERIALIZED reinterpretAsUInt128(sipHash128(device_id)) CODEC(NONE);

ALTER TABLE telemetry.device_days MATERIALIZE COLUMN device_key;

ALTER TABLE telemetry.sessions
    ADD COLUMN IF NOT EXISTS device_key SimpleAggregateFunction(max, UInt128)
        MATERIALIZED reinterpretAsUInt128(sipHash128(device_id)) CODEC(NONE);

ALTER TABLE telemetry.sessions MATERIALIZE COLUMN device_key;

-- A device lies in many ranges of the sorting key, one per type and day. Parts that are there get
-- this index when they are merged; until then they are read as before.
ALTER TABLE telemetry.events
    ADD INDEX IF NOT EXISTS ix_device device_id TYPE bloom_filter(0.01) GRANULARITY 1;
