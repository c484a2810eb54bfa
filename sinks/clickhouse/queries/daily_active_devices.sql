-- title: Devices that were active, per day
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, devices
-- meaning: A device is active on a day when any event of it happened on that day (UTC, by ts).
SELECT
    day,
    uniqExact(device_key) AS devices
FROM telemetry.device_days
WHERE app_id = {app:String}
  AND day BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR os_name = {platform:String})
  AND ({country:String} = '' OR country = {country:String})
GROUP BY day
ORDER BY day;
