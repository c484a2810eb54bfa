-- title: Where every event ended, per hour of arrival
-- param: app String = '' the app to ask about; empty: all apps
-- param: from Date first day, UTC, by arrival
-- param: to Date last day, UTC, inclusive
-- columns: hour, in_kafka, stored, duplicates_dropped, dead_lettered, rejected_at_the_door
-- columns: rejected_by_reason, difference, replayed, forgotten
-- meaning: in_kafka is what the sink read from Kafka; every one of these was stored, dropped as a
-- meaning: copy of an event already stored, or dead-lettered: the difference must be zero. `stored`
-- meaning: is counted from the rows, the others from the ledger of chunks. A copy that came when
-- meaning: the sink had forgotten its first is a row, too; once a merge has made the two one row,
-- meaning: the hour of the first has a difference of 1. Events rejected at the door never were in
-- meaning: that topic; they are counted from the dead letters, by reason. A record that tells no app
-- meaning: is counted for no app alone, and in the hour it came to Kafka.
-- meaning: `replayed` of in_kafka are dead letters that were put back: the same events once more.
-- meaning: `forgotten` were stored, and deleted since because a device or user asked for it.
-- An offset with its partition in the bits above it: offsets stay below 2 to the 48.
SELECT
    hour,
    sum(part_in_kafka) AS in_kafka,
    sum(part_stored) AS stored,
    sum(part_duplicates) AS duplicates_dropped,
    sum(part_dead) AS dead_lettered,
    sum(part_rejected) AS rejected_at_the_door,
    sumMap(part_reasons) AS rejected_by_reason,
    toInt64(in_kafka) - toInt64(stored) - toInt64(duplicates_dropped) - toInt64(dead_lettered)
        - toInt64(forgotten) AS difference,
    sum(part_replayed) AS replayed,
    sum(part_forgotten) AS forgotten
FROM
(
    SELECT
        hour,
        sum(inserted + duplicates + dead) AS part_in_kafka,
        0 AS part_stored,
        sum(duplicates) AS part_duplicates,
        sum(dead) AS part_dead,
        0 AS part_rejected,
        CAST(map(), 'Map(String, UInt64)') AS part_reasons,
        0 AS part_replayed,
        0 AS part_forgotten
    FROM telemetry.chunks FINAL
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
    GROUP BY hour

    UNION ALL

    SELECT
        toStartOfHour(received_at) AS hour,
        0,
        uniqExact(bitOr(bitShiftLeft(toUInt64(kafka_partition), 48), kafka_offset)),
        0,
        0,
        0,
        CAST(map(), 'Map(String, UInt64)'),
        0,
        0
    FROM telemetry.events
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
    GROUP BY hour, kafka_cluster, kafka_topic

    UNION ALL

    SELECT
        hour,
        0,
        0,
        0,
        0,
        0,
        CAST(map(), 'Map(String, UInt64)'),
        0,
        uniqExact(kafka_cluster, kafka_topic, kafka_partition, kafka_offset)
    FROM telemetry.forgotten
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
    GROUP BY hour

    UNION ALL

    SELECT
        hour,
        0,
        0,
        0,
        0,
        sumIf(letters, source = 'gateway'),
        sumMapIf(map(toString(code), letters), source = 'gateway'),
        sumIf(letters, source = 'replay'),
        0
    FROM
    (
        SELECT
            toStartOfHour(if(toUnixTimestamp(received_at) = 0, dead_at, received_at)) AS hour,
            source,
            code,
            uniqExact(kafka_cluster, kafka_topic, kafka_partition, kafka_offset) AS letters
        FROM telemetry.dead_letters
        WHERE source IN ('gateway', 'replay')
          AND ({app:String} = '' OR app_id = {app:String})
          AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
        GROUP BY hour, source, code
    )
    GROUP BY hour
)
GROUP BY hour
ORDER BY hour;
