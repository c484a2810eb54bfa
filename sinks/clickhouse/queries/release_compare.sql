-- title: Two releases side by side
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String one app_version
-- param: against String the other app_version
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: app_version, devices, sessions, length_p50_seconds, length_p90_seconds, crashed_sessions
-- columns: crash_free_devices_percent, crash_free_sessions_percent, first_seen, last_seen
-- meaning: One row per release that was seen in the period, counted as crash_free_releases counts;
-- meaning: the lengths are of the sessions' time within the release (first to last event with it,
-- meaning: or what the app measured). First and last seen are within the period.
SELECT
    app_version,
    max(part_devices) AS devices,
    max(part_sessions) AS sessions,
    max(part_p50) AS length_p50_seconds,
    max(part_p90) AS length_p90_seconds,
    max(part_crashed) AS crashed_sessions,
    max(part_crash_free_devices) AS crash_free_devices_percent,
    max(part_crash_free_sessions) AS crash_free_sessions_percent,
    min(part_first) AS first_seen,
    max(part_last) AS last_seen
FROM
(
    SELECT
        app_version,
        uniqExact(device_key) AS part_devices,
        0 AS part_sessions,
        NULL AS part_p50,
        NULL AS part_p90,
        0 AS part_crashed,
        round(100 * (1 - uniqExactIf(device_key, crashed = 1) / part_devices), 3)
            AS part_crash_free_devices,
        NULL AS part_crash_free_sessions,
        min(first_ts) AS part_first,
        max(last_ts) AS part_last
    FROM telemetry.device_days
    WHERE app_id = {app:String}
      AND day BETWEEN {from:Date} AND {to:Date}
      AND app_version IN ({release:String}, {against:String})
      -- include: devices_picked
    GROUP BY app_version

    UNION ALL

    SELECT
        if(is_release, {release:String}, {against:String}) AS app_version,
        0,
        count() AS sessions,
        round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[1], 3),
        round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[2], 3),
        countIf(has_crashed),
        NULL,
        round(100 * (1 - countIf(has_crashed) / sessions), 3),
        NULL,
        NULL
    FROM
    (
        SELECT
            app_version = {release:String} AS is_release,
            max(crashed) = 1 AS has_crashed,
            greatest(
                toUnixTimestamp64Milli(max(ended_at)) - toUnixTimestamp64Milli(min(started_at)),
                toInt64(max(duration_ms))
            ) / 1000 AS length_seconds
        FROM telemetry.sessions
        WHERE app_id = {app:String}
          AND app_version IN ({release:String}, {against:String})
          -- include: sessions_started
        GROUP BY session_id, is_release
        HAVING
            -- include: sessions_picked
    )
    GROUP BY is_release
)
GROUP BY app_version
ORDER BY app_version = {against:String}, app_version;
