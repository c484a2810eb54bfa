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
-- A session that started in the period has no row in the ten days before it. Rows from the days
-- after it belong to it when the session has one in the last days of it.
-- A device with a release is one number: of two hashes, 128 bits each.
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
      AND ({platform:String} = '' OR
          bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
      IN
        (
            SELECT bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
            FROM telemetry.device_days
            WHERE app_id = {app:String}
              AND day BETWEEN {from:Date} AND {to:Date}
              AND os_name = {platform:String}
        ))
      AND ({country:String} = '' OR
          bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
      IN
        (
            SELECT bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
            FROM telemetry.device_days
            WHERE app_id = {app:String}
              AND day BETWEEN {from:Date} AND {to:Date}
              AND country = {country:String}
        ))
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
          AND day BETWEEN {from:Date} AND toDate32({to:Date}) + 10
          AND (day <= {to:Date} OR session_id IN
            (
                SELECT session_id
                FROM telemetry.sessions
                WHERE app_id = {app:String}
                  AND day BETWEEN
                      greatest(toDate32({from:Date}), toDate32({to:Date}) - 10)
                      AND {to:Date}
                  AND session_id IN
                    (
                        SELECT session_id
                        FROM telemetry.sessions
                        WHERE app_id = {app:String}
                          AND day BETWEEN toDate32({to:Date}) + 1 AND toDate32({to:Date}) + 10
                    )
            ))
          AND session_id NOT IN
            (
                SELECT session_id
                FROM telemetry.sessions
                WHERE app_id = {app:String}
                  AND day BETWEEN toDate32({from:Date}) - 10 AND toDate32({from:Date}) - 1
            )
        GROUP BY session_id, is_release
        HAVING max(
            if(
                {platform:String} = '',
                1,
                (os_name >= {platform:String}) + (os_name > {platform:String})
            )
        ) = 1
           AND max(
               if(
                   {country:String} = '',
                   1,
                   (country >= {country:String}) + (country > {country:String})
               )
           ) = 1
    )
    GROUP BY is_release
)
GROUP BY app_version
ORDER BY app_version = {against:String}, app_version;
