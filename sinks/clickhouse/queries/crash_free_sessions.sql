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
-- meaning: the session and the release that crashed. What is more than ten days away from the period
-- meaning: is not looked at. Platform and country are the greatest of a session's events with it.
-- A session's part in a release is one number: of its id and a hash, 128 bits each.
SELECT
    app_version,
    uniqExact(session_id) AS sessions,
    round(100 * (1 - uniqExactIf(session_id, crashed = 1) / sessions), 3) AS crash_free_percent
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
ORDER BY app_version;
