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
-- meaning: last sign of life. What is more than ten days away from the period is not looked at, and
-- meaning: a `gap` is a day at most. Filters pick sessions with an event of the release, platform, country.
-- A part is a session as sent: (start, end, crashed, closed, measured), times in milliseconds.
SELECT
    toDate(intDiv(chain[1].1, 86400000)) AS day,
    count() AS sessions,
    round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[1], 3) AS length_p50_seconds,
    round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[2], 3) AS length_p90_seconds,
    round(100 * countIf(chain[-1].3 = 0 AND chain[-1].4 = 0) / sessions, 3)
        AS inferred_close_percent,
    round(100 * countIf(chain[-1].3 = 1) / sessions, 3) AS crashed_percent
FROM
(
    SELECT
        arrayJoin(arraySplit((part, begins) -> begins, parts, beginning)) AS chain,
        greatest(arrayMax(chain.2) - chain[1].1, arrayMax(chain.5)) / 1000 AS length_seconds
    FROM
    (
        SELECT
            arraySort(groupArray(part)) AS parts,
            arrayMap(
                (part, previous) -> {gap:UInt32} = 0
                    OR previous.3 = 1
                    OR part.1 - previous.2 > 1000 * least({gap:UInt32}, 86400),
                parts,
                arrayPopBack(arrayPushFront(parts, parts[1]))
            ) AS beginning
        FROM
        (
            SELECT
                max(sipHash64(device_id)) AS device,
                (
                    toUnixTimestamp64Milli(min(started_at)),
                    toUnixTimestamp64Milli(max(ended_at)),
                    max(crashed),
                    max(closed),
                    toInt64(max(duration_ms))
                ) AS part
            FROM telemetry.sessions
            WHERE app_id = {app:String}
              AND day BETWEEN toDate32({from:Date}) - 10 AND toDate32({to:Date}) + 10
            GROUP BY session_id
            HAVING ({release:String} = '' OR max(app_version = {release:String}))
               AND ({platform:String} = '' OR max(os_name) = {platform:String})
               AND ({country:String} = '' OR max(country) = {country:String})
        )
        GROUP BY device
    )
)
WHERE day BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
