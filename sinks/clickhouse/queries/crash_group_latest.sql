-- title: The newest sample of one crash
-- param: app String the app to ask about
-- param: group String the crash group, 16 hex digits
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: event_id, ts, device_id, session_id, user_id, app_version, app_build, os_name, os_version
-- columns: device_manufacturer, device_model, country, crash_kind, crash_fatal, crash_type
-- columns: crash_reason, crash_stack, properties
-- meaning: The newest crash of the group in the period, whole: where it happened, why, and its stack
-- meaning: (frames as a JSON array, crash point first, or the text that came).
SELECT
    event_id,
    ts,
    device_id,
    session_id,
    user_id,
    app_version,
    app_build,
    os_name,
    os_version,
    device_manufacturer,
    device_model,
    country,
    crash_kind,
    crash_fatal,
    crash_type,
    crash_reason,
    crash_stack,
    properties
FROM telemetry.events
WHERE app_id = {app:String}
  AND event_type = 'app_crash'
  AND lower(leftPad(hex(crash_group), 16, '0')) = lower({group:String})
  AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR os_name = {platform:String})
  AND ({country:String} = '' OR country = {country:String})
ORDER BY ts DESC, event_id DESC, received_at
LIMIT 1;
