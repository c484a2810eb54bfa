-- title: One event by its id
-- param: event_id String the id, as the SDK sent it or as stored
-- param: app String = '' only of this app; empty: all apps
-- columns: event_id, source_event_id, app_id, event_type, event_name, device_id, user_id
-- columns: session_id, sequence, occurred_at, sent_at, received_at, ts, time_quality
-- columns: app_version, os_name, os_version, device_model, sdk_name, sdk_version, protocol
-- columns: request_id, duration_ms, crash_group, crash_type, crash_reason, crash_stack
-- columns: properties, kafka_topic, kafka_partition, kafka_offset, chunk_start, chunk_end, inserted_at
-- meaning: Finds an event by its stored id, or by the original of an id that was no UUID. Of copies
-- meaning: that were stored the first one is shown.
SELECT
    event_id,
    source_event_id,
    app_id,
    event_type,
    event_name,
    device_id,
    user_id,
    session_id,
    sequence,
    occurred_at,
    sent_at,
    received_at,
    ts,
    time_quality,
    app_version,
    os_name,
    os_version,
    device_model,
    sdk_name,
    sdk_version,
    protocol,
    request_id,
    duration_ms,
    if(event_type = 'app_crash' OR events.crash_group != 0,
        lower(leftPad(hex(events.crash_group), 16, '0')), '') AS crash_group,
    crash_type,
    crash_reason,
    crash_stack,
    properties,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    chunk_start,
    chunk_end,
    inserted_at
FROM telemetry.events AS events
WHERE ({app:String} = '' OR app_id = {app:String})
  AND throwIf(
      {event_id:String} = '',
      'event_id: an id is needed, as the SDK sent it or as stored'
  ) = 0
  AND event_id IN
    (
        SELECT event_id FROM telemetry.events WHERE event_id = toUUIDOrNull({event_id:String})
        UNION ALL
        SELECT event_id FROM telemetry.events WHERE source_event_id = {event_id:String}
    )
  AND (event_id = toUUIDOrNull({event_id:String}) OR source_event_id = {event_id:String})
ORDER BY received_at, inserted_at, kafka_offset
LIMIT 1 BY app_id, device_id, event_id;
