-- title: The newest chunks of the ledger
-- param: app String = '' only chunks with records of this app; empty: all apps
-- param: from Date first day, UTC, by arrival
-- param: to Date last day, UTC, inclusive
-- param: limit UInt32 = '50' how many
-- columns: kafka_topic, kafka_partition, chunk_start, chunk_end, inserted, duplicates, dead
-- columns: first_hour, inserted_at
-- meaning: What the sink wrote last, newest first: the offsets [chunk_start, chunk_end) of one
-- meaning: partition, and how many of its records (of the app and the period) became rows, were
-- meaning: dropped as copies, or were dead-lettered. inserted_at is the last write of the chunk.
SELECT
    kafka_topic,
    kafka_partition,
    chunk_start,
    max(chunks.chunk_end) AS chunk_end,
    sum(chunks.inserted) AS inserted,
    sum(chunks.duplicates) AS duplicates,
    sum(chunks.dead) AS dead,
    min(hour) AS first_hour,
    max(chunks.inserted_at) AS inserted_at
FROM telemetry.chunks AS chunks FINAL
WHERE ({app:String} = '' OR app_id = {app:String})
  AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
GROUP BY kafka_cluster, kafka_topic, kafka_partition, chunk_start
ORDER BY inserted_at DESC, kafka_topic, kafka_partition, chunk_start DESC
LIMIT {limit:UInt32};
