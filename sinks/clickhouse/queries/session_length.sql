-- title: Sessions as people mean them: how many, how long, how they ended
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- param: gap UInt32 = '30' seconds in the background that do not end a session; 0: sessions as sent
-- columns: day, sessions, length_p50_seconds, length_p90_seconds, inferred_close_percent
-- columns: crashed_percent
-- meaning: A session that starts within `gap` seconds of the last event of the device's previous one
-- meaning: goes on with it, unless that one crashed. It counts on the day it started, with the time
-- meaning: from its first to its last event, or what the app measured of a part (duration_ms) where
-- meaning: that is longer. It ends with its crash, else with its close, else, by inference, at the
-- meaning: last sign of life. Filters pick sessions with an event of the release, platform, country.
-- Sessions of a day before and after the period are looked at, and `gap` beyond, for what goes on.
WITH
    intDiv({gap:UInt32}, 86400) + 1 AS margin_days,
    parts AS
    (
        SELECT
            any(device_id) AS device,
            min(started_at) AS part_start,
            max(ended_at) AS part_end,
            max(duration_ms) AS part_measured,
            max(closed) AS part_closed,
            max(crashed) AS part_crashed,
            session_id
        FROM telemetry.sessions
        WHERE app_id = {app:String}
          AND session_id IN
            (
                SELECT session_id
                FROM telemetry.sessions
                WHERE app_id = {app:String}
                  AND day BETWEEN toDate32({from:Date}) - margin_days
                              AND toDate32({to:Date}) + margin_days
            )
        GROUP BY session_id
        HAVING ({release:String} = '' OR max(app_version = {release:String}))
           AND ({platform:String} = '' OR max(os_name) = {platform:String})
           AND ({country:String} = '' OR max(country) = {country:String})
    ),
    linked AS
    (
        SELECT
            *,
            {gap:UInt32} = 0
                OR row_number() OVER before = 1
                OR lagInFrame(part_crashed) OVER before = 1
                OR dateDiff('millisecond', max(part_end) OVER earlier, part_start)
                    > 1000 * toInt64({gap:UInt32}) AS is_first
        FROM parts
        WINDOW
            before AS (PARTITION BY device ORDER BY part_start, part_end, session_id),
            earlier AS (PARTITION BY device ORDER BY part_start, part_end, session_id
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    numbered AS
    (
        SELECT
            *,
            sum(is_first) OVER (PARTITION BY device ORDER BY part_start, part_end, session_id) AS number
        FROM linked
    )
SELECT
    toDate(session_start) AS day,
    count() AS sessions,
    round(quantileExactInclusive(0.5)(length_seconds), 3) AS length_p50_seconds,
    round(quantileExactInclusive(0.9)(length_seconds), 3) AS length_p90_seconds,
    round(100 * countIf(NOT has_closed AND NOT has_crashed) / sessions, 3) AS inferred_close_percent,
    round(100 * countIf(has_crashed) / sessions, 3) AS crashed_percent
FROM
(
    SELECT
        min(part_start) AS session_start,
        greatest(
            dateDiff('millisecond', session_start, max(part_end)),
            toInt64(max(part_measured))
        ) / 1000 AS length_seconds,
        argMax(part_closed, (part_start, part_end, session_id)) AS has_closed,
        max(part_crashed) AS has_crashed
    FROM numbered
    GROUP BY device, number
)
WHERE day BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
