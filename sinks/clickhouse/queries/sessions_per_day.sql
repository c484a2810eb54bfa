-- title: Sessions per day, and how long they lasted
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- meaning: A session counts on the day it started. Its length is the time between its first and
-- meaning: last event, or what the app measured itself (duration_ms) where that is longer.
SELECT
    toDate(started) AS day,
    count() AS sessions,
    round(quantileExact(0.5)(length), 3) AS length_p50_seconds,
    round(quantileExact(0.95)(length), 3) AS length_p95_seconds
FROM
(
    SELECT
        session_id,
        min(started_at) AS started,
        greatest(
            dateDiff('millisecond', min(started_at), max(ended_at)),
            toInt64(max(duration_ms))
        ) / 1000 AS length
    FROM telemetry.sessions
    WHERE app_id = {app:String}
      AND day BETWEEN {from:Date} - 7 AND {to:Date} + 7
    GROUP BY session_id
)
WHERE toDate(started) BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
