-- Every stored row of the named devices: what verify compares with the ledger.
SELECT
    device_id,
    if(source_event_id = '', toString(event_id), source_event_id) AS event_id,
    sequence,
    kafka_partition,
    kafka_offset
FROM telemetry.events
WHERE app_id = {app:String}
  AND device_id IN {devices:Array(String)}
ORDER BY
    device_id,
    kafka_partition,
    kafka_offset
