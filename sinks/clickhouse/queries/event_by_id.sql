-- title: One event by its id
-- param: event_id String the id, as the SDK sent it or as stored
-- meaning: Finds an event by its stored id, or by the original of an id that was no UUID.
SELECT
    event_id,
    source_event_id,
    app_id,
    event_type,
    event_name,
    device_id,
    session_id,
    sequence,
    occurred_at,
    sent_at,
    received_at,
    ts,
    time_quality,
    app_version,
    protocol,
    request_id,
    properties,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    chunk_start,
    chunk_end,
    inserted_at
FROM telemetry.events FINAL
WHERE event_id = toUUIDOrZero({event_id:String})
   OR (source_event_id = {event_id:String} AND source_event_id != '')
ORDER BY received_at, event_id;
