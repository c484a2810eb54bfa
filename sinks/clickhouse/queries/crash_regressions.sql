-- title: Crashes that came back
-- param: app String the app to ask about
-- param: group String = '' only this crash group, 16 hex digits; empty: all
-- param: from Date first day, UTC, by ts
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only what came back in this app_version; empty: any
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- param: min_devices UInt32 = '1' devices that a release must have had to count as one without it
-- columns: crash_group, crash_type, crash_reason, release, release_before, releases_without
-- columns: first_seen, came_back, last_seen, crashes, devices, sessions_percent
-- meaning: A group that was seen in a release, in none of the releases between, of which at least
-- meaning: one was in use, and then in a newer release, where its first crash lies in the period.
-- meaning: Releases are ordered by the numbers in their names. first_seen is of the group in any
-- meaning: release, all else of the release in which it came back, up to `to`; sessions_percent is
-- meaning: the share of that release's sessions which had the crash.
WITH
(
    SELECT arraySort(groupArray((number, name)))
    FROM
    (
        SELECT
            app_version AS name,
            arrayMap(part -> toUInt64OrZero(part), extractAll(name, '[0-9]+')) AS number
        FROM telemetry.device_days
        WHERE app_id = {app:String}
          AND day <= {to:Date}
          AND ({platform:String} = '' OR os_name = {platform:String})
          AND ({country:String} = '' OR country = {country:String})
        GROUP BY name
        HAVING uniqExact(device_key) >= {min_devices:UInt32}
    )
) AS releases_in_use
SELECT
    lower(leftPad(hex(group_number), 16, '0')) AS crash_group,
    type AS crash_type,
    reason AS crash_reason,
    name AS release,
    before.2 AS release_before,
    arrayMap(
        one -> one.2,
        arrayFilter(one -> one > before AND one < (number, name), releases_in_use)
    ) AS releases_without,
    group_first AS first_seen,
    first AS came_back,
    last AS last_seen,
    crashes,
    devices,
    if(sessions = 0, 0, round(100 * crashed_sessions / sessions, 3)) AS sessions_percent
FROM
(
    SELECT
        crash_group AS group_number,
        app_version AS name,
        arrayMap(part -> toUInt64OrZero(part), extractAll(name, '[0-9]+')) AS number,
        max(crash_type) AS type,
        max(crash_reason) AS reason,
        min(ts) AS first,
        max(ts) AS last,
        uniqExact(event_id) AS crashes,
        uniqExact(device_id) AS devices,
        uniqExactIf(session_id, session_id != toUUID('00000000-0000-0000-0000-000000000000'))
            AS crashed_sessions,
        min(first) OVER (PARTITION BY group_number) AS group_first,
        lagInFrame((number, name)) OVER in_order AS before,
        row_number() OVER in_order AS place
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND event_type = 'app_crash'
      AND toDate(ts) <= {to:Date}
      AND ({group:String} = ''
        OR lower(leftPad(hex(group_number), 16, '0')) = lower({group:String}))
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY group_number, name
    WINDOW in_order AS
    (
        PARTITION BY group_number
        ORDER BY number, name
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
) AS seen
LEFT JOIN
(
    SELECT
        app_version AS used,
        uniqExact(session_id) AS sessions
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND day <= {to:Date}
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY used
) AS release_sessions ON used = name
WHERE place > 1
  AND toDate(came_back) BETWEEN {from:Date} AND {to:Date}
  AND notEmpty(releases_without)
  AND ({release:String} = '' OR name = {release:String})
ORDER BY came_back DESC, crash_group, release;
