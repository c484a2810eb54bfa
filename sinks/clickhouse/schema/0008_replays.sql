-- When tables rebuilt from the log took the live ones' places. ClickHouse's memory of tokens belongs
-- to a table and a view: what was inserted before the last swap is not known to those after it, so
-- the sink stores a repeat of such a chunk by its missing rows alone.
CREATE TABLE IF NOT EXISTS telemetry.replays
(
    id         String,
    rows       UInt64,                             -- that the rebuilt events had
    swapped_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY swapped_at                                -- the last one is asked for
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;  -- part of the sink's ledger
