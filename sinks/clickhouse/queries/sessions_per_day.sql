-- title: Sessions per day, and how long they lasted
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, sessions, length_p50_seconds, length_p95_seconds
-- meaning: A session counts on the day it started. Its length is the time between its first and
-- meaning: last event, or what the app measured itself (duration_ms) where that is longer. What is more than ten days
-- meaning: away from the period is not looked at. Filters pick sessions that had an event of the
-- meaning: release, and whose greatest platform and country are these.
SELECT
    started_on AS day,
    count() AS sessions,
    round(quantilesExactInclusive(0.5, 0.95)(length_seconds)[1], 3) AS length_p50_seconds,
    round(quantilesExactInclusive(0.5, 0.95)(length_seconds)[2], 3) AS length_p95_seconds
FROM
(
    SELECT
        toDate(min(started_at)) AS started_on,
        greatest(
            toUnixTimestamp64Milli(max(ended_at)) - toUnixTimestamp64Milli(min(started_at)),
            toInt64(max(duration_ms))
        ) / 1000 AS length_seconds
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND day BETWEEN toDate32({from:Date}) - 10 AND toDate32({to:Date}) + 10
    GROUP BY session_id
    HAVING max({release:String} = '' OR app_version = {release:String})
       AND
           -- include: sessions_picked
)
WHERE started_on BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
