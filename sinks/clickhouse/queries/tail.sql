-- title: The newest events of an app
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: limit UInt32 = '50' how many
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: received_at, ts, event_type, event_name, device_id, session_id, sequence, app_version
-- columns: os_name, country, sdk_name, sdk_version, time_quality, crash_type, event_id, properties
-- meaning: Newest arrivals first, of those that arrived in the period. A copy stored twice and not
-- meaning: merged yet is shown once.
-- The newest times are found first, so that the other columns are read of few rows; of twice as many
-- as asked for, because some may be copies.
SELECT
    received_at,
    ts,
    event_type,
    event_name,
    device_id,
    session_id,
    sequence,
    app_version,
    os_name,
    country,
    sdk_name,
    sdk_version,
    time_quality,
    crash_type,
    event_id,
    properties
FROM telemetry.events
WHERE app_id = {app:String}
  AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR os_name = {platform:String})
  AND ({country:String} = '' OR country = {country:String})
  AND received_at >=
    (
        SELECT min(received_at)
        FROM
        (
            SELECT received_at
            FROM telemetry.events
            WHERE app_id = {app:String}
              AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
              AND ({release:String} = '' OR app_version = {release:String})
              AND ({platform:String} = '' OR os_name = {platform:String})
              AND ({country:String} = '' OR country = {country:String})
            ORDER BY received_at DESC
            LIMIT 2 * {limit:UInt32}
        )
    )
ORDER BY received_at DESC, kafka_offset DESC, event_id
LIMIT 1 BY event_id
LIMIT {limit:UInt32};
