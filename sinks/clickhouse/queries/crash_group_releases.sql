-- title: The releases in which one crash happens
-- param: app String the app to ask about
-- param: group String the crash group, 16 hex digits
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: app_version, crashes, devices, first_seen, last_seen
-- meaning: Crashes of the group in each release that had one, the devices they hit, and when it was
-- meaning: seen first and last in that release within the period. Releases stand in the order of
-- meaning: the numbers in their names.
SELECT
    app_version,
    uniqExact(event_id) AS crashes,
    uniqExact(device_id) AS devices,
    min(ts) AS first_seen,
    max(ts) AS last_seen
FROM telemetry.events
WHERE app_id = {app:String}
  AND event_type = 'app_crash'
  AND lower(leftPad(hex(crash_group), 16, '0')) = lower({group:String})
  AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR os_name = {platform:String})
  AND ({country:String} = '' OR country = {country:String})
GROUP BY app_version
ORDER BY arrayMap(part -> toUInt64OrZero(part), extractAll(app_version, '[0-9]+')), app_version;
