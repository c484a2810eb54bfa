-- title: How a release spreads
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, app_version, devices, share_percent
-- meaning: A device counts once a day, for the release it ran last on that day. The share is of all
-- meaning: devices active on that day on the platform and in the country asked for, so that the
-- meaning: shares of a day add up to 100; `release` picks one line of them.
SELECT
    day,
    app_version,
    devices,
    share_percent
FROM
(
    SELECT
        day,
        last_version AS app_version,
        count() AS devices,
        round(100 * devices / sum(devices) OVER (PARTITION BY day), 3) AS share_percent
    FROM
    (
        SELECT
            day,
            argMax(app_version, (last_ts, app_version)) AS last_version
        FROM telemetry.device_days
        WHERE app_id = {app:String}
          AND day BETWEEN {from:Date} AND {to:Date}
          AND ({platform:String} = '' OR os_name = {platform:String})
          AND ({country:String} = '' OR country = {country:String})
        GROUP BY day, device_id
    )
    GROUP BY day, last_version
)
WHERE {release:String} = '' OR app_version = {release:String}
ORDER BY day, app_version;
