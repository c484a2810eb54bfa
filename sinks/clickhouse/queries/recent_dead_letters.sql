-- title: The newest dead letters
-- param: app String = '' the app to ask about; empty: all apps
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: code String = '' only this code; empty: all
-- param: limit UInt32 = '50' how many
-- columns: dead_at, source, code, text, app_id, protocol, app_version, device_id, event_id
-- columns: request_id, origin_topic, origin_partition, origin_offset, original, original_bytes
-- meaning: What nobody will store, newest first: rejected at the door (source gateway) or refused by
-- meaning: ClickHouse (source sink), with the reason and the first 2000 characters of what came.
-- meaning: `telemetry-sink dead-letters` puts them back once the cause is mended.
SELECT
    dead_at,
    source,
    code,
    text,
    app_id,
    protocol,
    app_version,
    device_id,
    event_id,
    request_id,
    origin_topic,
    origin_partition,
    origin_offset,
    substringUTF8(dead_letters.original, 1, 2000) AS original,
    original_bytes
FROM telemetry.dead_letters AS dead_letters
WHERE source IN ('gateway', 'sink')
  AND ({app:String} = '' OR app_id = {app:String})
  AND toDate(dead_at) BETWEEN {from:Date} AND {to:Date}
  AND ({code:String} = '' OR code = {code:String})
ORDER BY dead_at DESC, kafka_partition, kafka_offset DESC
LIMIT 1 BY kafka_cluster, kafka_topic, kafka_partition, kafka_offset
LIMIT {limit:UInt32};
