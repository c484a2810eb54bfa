-- title: How often one crash happens, day by day
-- param: app String the app to ask about
-- param: group String the crash group, 16 hex digits
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, crashes, devices
-- meaning: Crashes of the group on each day (UTC, by ts) that had one, and the devices they hit, each
-- meaning: counted once.
SELECT
    toDate(ts) AS day,
    uniqExact(event_id) AS crashes,
    uniqExact(device_id) AS devices
FROM telemetry.events
WHERE app_id = {app:String}
  AND event_type = 'app_crash'
  AND lower(leftPad(hex(crash_group), 16, '0')) = lower({group:String})
  AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR os_name = {platform:String})
  AND ({country:String} = '' OR country = {country:String})
GROUP BY day
ORDER BY day;
