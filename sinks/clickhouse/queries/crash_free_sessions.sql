-- title: Crash-free sessions per release
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- meaning: Sessions of a release that started in the period, and the share of them without an
-- meaning: app_crash. A crash found at the next launch counts for the session that crashed.
SELECT
    version AS app_version,
    count() AS sessions,
    round(100 * (1 - countIf(has_crashed = 1) / sessions), 3) AS crash_free_percent
FROM
(
    SELECT
        session_id,
        max(app_version) AS version,
        min(started_at) AS started,
        max(crashed) AS has_crashed
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND day BETWEEN {from:Date} - 7 AND {to:Date} + 7
    GROUP BY session_id
)
WHERE toDate(started) BETWEEN {from:Date} AND {to:Date}
GROUP BY app_version
ORDER BY app_version;
