-- title: Crash-free devices per release
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: app_version, devices, crash_free_percent
-- meaning: Devices active with a release in the period, and the share of them without an app_crash
-- meaning: of that release in it. A crash counts for the release that crashed, whenever it was sent.
-- meaning: Platform and country pick the devices that were there with it on a day of the period.
SELECT
    app_version,
    uniqExact(device_key) AS devices,
    round(100 * (1 - uniqExactIf(device_key, crashed = 1) / devices), 3) AS crash_free_percent
FROM telemetry.device_days
WHERE app_id = {app:String}
  AND day BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  -- include: devices_picked
GROUP BY app_version
ORDER BY app_version;
