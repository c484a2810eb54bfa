-- title: Devices that were active, per day
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- columns: day, devices
-- meaning: A device is active on a day when any event of it happened on that day (UTC, by ts).
SELECT
    day,
    uniqExact(device_id) AS devices
FROM telemetry.device_days
WHERE app_id = {app:String}
  AND day BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
