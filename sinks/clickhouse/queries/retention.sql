-- title: Devices that come back
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: cohort_day, day_number, devices, cohort_devices, share_percent
-- meaning: A device's cohort is the first day it was seen at all; day_number counts from it. Cohorts
-- meaning: of the period are shown, with the days on which they were active up to its end, and the
-- meaning: share of the cohort that this is. Release, platform and country are those of the first
-- meaning: day, so that a device stays in its cohort when it is updated.
SELECT
    cohort_day,
    day_number,
    count() AS devices,
    max(devices) OVER (PARTITION BY cohort_day) AS cohort_devices,
    round(100 * devices / cohort_devices, 3) AS share_percent
FROM
(
    SELECT
        arrayDistinct(groupArray(day)) AS days,
        arrayMin(days) AS cohort_day
    FROM telemetry.device_days
    WHERE app_id = {app:String}
      AND day <= {to:Date}
    GROUP BY device_key
    HAVING cohort_day >= {from:Date}
       AND cohort_day = minIf(
           day,
           ({release:String} = '' OR app_version = {release:String})
               AND ({platform:String} = '' OR os_name = {platform:String})
               AND ({country:String} = '' OR country = {country:String})
       )
)
ARRAY JOIN arrayMap(one -> toUInt32(one - cohort_day), days) AS day_number
GROUP BY cohort_day, day_number
ORDER BY cohort_day, day_number;
