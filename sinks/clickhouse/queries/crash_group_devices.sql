-- title: The devices that one crash hits, by their newest crash
-- param: app String the app to ask about
-- param: group String the crash group, 16 hex digits
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- param: limit UInt32 = '50' how many devices
-- columns: device_id, crashes, last_seen, event_id, app_version, os_name, os_version
-- columns: device_model, country
-- meaning: Each device with a crash of the group: how many, and when, where and in which release the
-- meaning: newest one was. event_id is that newest crash.
SELECT
    device_id,
    uniqExact(events.event_id) AS crashes,
    max(ts) AS last_seen,
    argMax(events.event_id, (ts, events.event_id)) AS event_id,
    argMax(events.app_version, (ts, events.event_id)) AS app_version,
    argMax(events.os_name, (ts, events.event_id)) AS os_name,
    argMax(events.os_version, (ts, events.event_id)) AS os_version,
    argMax(events.device_model, (ts, events.event_id)) AS device_model,
    argMax(events.country, (ts, events.event_id)) AS country
FROM telemetry.events AS events
WHERE app_id = {app:String}
  AND event_type = 'app_crash'
  AND lower(leftPad(hex(crash_group), 16, '0')) = lower({group:String})
  AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR events.app_version = {release:String})
  AND ({platform:String} = '' OR events.os_name = {platform:String})
  AND ({country:String} = '' OR events.country = {country:String})
GROUP BY device_id
ORDER BY last_seen DESC, device_id
LIMIT {limit:UInt32};
