-- title: Crash-free sessions per release
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: app_version, sessions, crash_free_percent
-- meaning: Sessions that started in the period and had an event of the release, and the share of
-- meaning: them without an app_crash of that release. A crash found at the next launch counts for
-- meaning: the session and the release that crashed.
-- A session of the period has a row in it; all its rows are then read, however long it lasted.
SELECT
    app_version,
    count() AS sessions,
    round(100 * (1 - countIf(has_crashed) / sessions), 3) AS crash_free_percent
FROM
(
    SELECT
        session_id,
        app_version,
        max(crashed) = 1 AS has_crashed,
        min(min(day)) OVER (PARTITION BY session_id) AS started_on,
        max(max(os_name)) OVER (PARTITION BY session_id) AS platform_of,
        max(max(country)) OVER (PARTITION BY session_id) AS country_of
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND session_id IN
        (
            SELECT session_id
            FROM telemetry.sessions
            WHERE app_id = {app:String}
              AND day BETWEEN {from:Date} AND {to:Date}
        )
    GROUP BY session_id, app_version
)
WHERE started_on BETWEEN {from:Date} AND {to:Date}
  AND ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR platform_of = {platform:String})
  AND ({country:String} = '' OR country_of = {country:String})
GROUP BY app_version
ORDER BY app_version;
