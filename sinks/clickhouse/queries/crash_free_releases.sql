-- title: Health of each release
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: app_version, devices, sessions, crash_free_devices_percent
-- columns: crash_free_sessions_percent, first_seen, last_seen
-- meaning: The numbers of crash_free_devices and crash_free_sessions side by side, and when the
-- meaning: release was first and last seen in the period (by ts). A release that had devices but no
-- meaning: session has no share of crash-free sessions (null).
-- A session's part in a release is one number: of its id and a hash, 128 bits each.
SELECT
    app_version,
    max(part_devices) AS devices,
    max(part_sessions) AS sessions,
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
        round(100 * (1 - uniqExactIf(device_key, crashed = 1) / part_devices), 3)
            AS part_crash_free_devices,
        NULL AS part_crash_free_sessions,
        min(first_ts) AS part_first,
        max(last_ts) AS part_last
    FROM telemetry.device_days
    WHERE app_id = {app:String}
      AND day BETWEEN {from:Date} AND {to:Date}
      AND ({release:String} = '' OR app_version = {release:String})
      -- include: devices_picked
    GROUP BY app_version

    UNION ALL

    SELECT
        app_version,
        0,
        uniqExact(session_id) AS sessions,
        NULL,
        round(100 * (1 - uniqExactIf(session_id, crashed = 1) / sessions), 3),
        NULL,
        NULL
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND ({release:String} = '' OR app_version = {release:String})
      -- include: sessions_started
      AND ({platform:String} = '' AND {country:String} = '' OR
          bitXor(reinterpretAsUInt128(session_id), reinterpretAsUInt128(sipHash128(app_version)))
      IN
        (
            SELECT
                bitXor(
                    reinterpretAsUInt128(session_id),
                    reinterpretAsUInt128(sipHash128(app_version))
                ) AS part
            FROM telemetry.sessions
            WHERE app_id = {app:String}
              AND day BETWEEN {from:Date} AND toDate32({to:Date}) + 10
              AND ({release:String} = '' OR app_version = {release:String})
            GROUP BY part
            HAVING
                -- include: sessions_picked
        ))
    GROUP BY app_version
)
GROUP BY app_version
ORDER BY app_version;
