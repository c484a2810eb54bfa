-- Every stored row of a share of an app's devices: what verify compares with the ledger.
-- `devices` narrows it to these where any are named.
SELECT
    device_id,
    if(source_event_id = '', toString(event_id), source_event_id) AS event_id,
    sequence,
    kafka_partition,
    kafka_offset,
    event_type,
    event_name,
    toUnixTimestamp64Milli(occurred_at) AS occurred_at_ms,
    toString(session_id) AS session_id,
    user_id,
    properties,
    crash_type,
    crash_reason,
    crash_stack
FROM telemetry.events
WHERE app_id = {app:String}
  AND CRC32(device_id) % {buckets:UInt32} = {bucket:UInt32}
  AND (empty({devices:Array(String)}) OR device_id IN {devices:Array(String)})
