-- title: What was rejected at the door, and why
-- param: app String = '' the app to ask about; empty: all apps
-- param: from Date first day, UTC, by arrival
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- columns: app_id, protocol, app_version, code, events, devices, first_at, last_at, text, original
-- meaning: Events that the gateway rejected for good, by app, by the protocol of the SDK that sent
-- meaning: them, release and reason, those that happen most first. Text and original (its first
-- meaning: 500 characters) are of the newest one. Beyond 100 a second and app no letters are kept.
SELECT
    app_id,
    protocol,
    app_version,
    code,
    uniqExact(kafka_cluster, kafka_topic, kafka_partition, kafka_offset) AS events,
    uniqExactIf(device_id, device_id != '') AS devices,
    min(dead_at) AS first_at,
    max(dead_at) AS last_at,
    argMax(dead_letters.text, (dead_at, kafka_partition, kafka_offset)) AS text,
    substringUTF8(argMax(dead_letters.original, (dead_at, kafka_partition, kafka_offset)), 1, 500)
        AS original
FROM telemetry.dead_letters AS dead_letters
WHERE source = 'gateway'
  AND ({app:String} = '' OR app_id = {app:String})
  AND toDate(dead_at) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
GROUP BY app_id, protocol, app_version, code
ORDER BY events DESC, app_id, protocol, app_version, code;
