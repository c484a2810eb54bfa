-- title: Devices that come back
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- columns: cohort_day, day_number, devices
-- meaning: A device's cohort is the first day it was seen at all; day_number counts from it. Cohorts
-- meaning: of the period are shown, with the days on which they were active up to its end.
SELECT
    cohort_day,
    day_number,
    count() AS devices
FROM
(
    SELECT
        device_id,
        groupUniqArray(day) AS days,
        arrayMin(days) AS cohort_day
    FROM telemetry.device_days
    WHERE app_id = {app:String}
      AND day <= {to:Date}
    GROUP BY device_id
    HAVING cohort_day >= {from:Date}
)
ARRAY JOIN arrayMap(one -> toUInt32(one - cohort_day), days) AS day_number
GROUP BY cohort_day, day_number
ORDER BY cohort_day, day_number;
