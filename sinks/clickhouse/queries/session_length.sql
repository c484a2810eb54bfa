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
-- A part is a session as sent, and one number, which sorts faster than a tuple: from the highest bit
-- on its start and its length (43 bits each, in milliseconds), whether it crashed, whether it was
-- closed, and what the app measured (32 bits).
WITH
    part -> toInt64(bitShiftRight(part, 77)) AS start_of,
    part -> bitAnd(toInt64(bitShiftRight(part, 34)), 8796093022207) AS length_of,
    part -> bitAnd(toUInt8(bitShiftRight(part, 32)), 3) AS ending_of
SELECT
    toDate(intDiv(start_of(chain[1]), 86400000)) AS day,
    count() AS sessions,
    round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[1], 3) AS length_p50_seconds,
    round(quantilesExactInclusive(0.5, 0.9)(length_seconds)[2], 3) AS length_p90_seconds,
    round(100 * countIf(ending_of(chain[-1]) = 0) / sessions, 3) AS inferred_close_percent,
    round(100 * countIf(ending_of(chain[-1]) >= 2) / sessions, 3) AS crashed_percent
FROM
(
    SELECT
        arrayJoin(arraySplit((part, begins) -> begins, parts, beginning)) AS chain,
        greatest(
            arrayMax(arrayMap(part -> start_of(part) + length_of(part), chain))
                - start_of(chain[1]),
            toInt64(arrayMax(arrayMap(part -> toUInt32(part), chain)))
        ) / 1000 AS length_seconds
    FROM
    (
        SELECT
            arraySort(groupArray(part)) AS parts,
            arrayMap(
                part -> if(
                    {gap:UInt32} = 0 OR ending_of(part) >= 2,
                    -1,
                    start_of(part) + length_of(part) + 1000 * least({gap:UInt32}, 86400)
                ),
                parts
            ) AS goes_on_until,
            arrayMap(
                (part, until) -> start_of(part) > until,
                parts,
                arrayPopBack(arrayPushFront(goes_on_until, toInt64(-1)))
            ) AS beginning
        FROM
        (
            SELECT
                max(device_key) AS device,
                toUnixTimestamp64Milli(min(started_at)) AS start,
                bitShiftLeft(toUInt128(start), 77)
                    + bitShiftLeft(
                        toUInt128(toUnixTimestamp64Milli(max(ended_at)) - start), 34
                    )
                    + bitShiftLeft(toUInt64(groupBitOr(2 * crashed + closed)), 32)
                    + max(duration_ms) AS part
            FROM telemetry.sessions
            WHERE app_id = {app:String}
              AND day BETWEEN toDate32({from:Date}) - 10 AND toDate32({to:Date}) + 10
            GROUP BY session_id
            HAVING max({release:String} = '' OR app_version = {release:String})
               AND
                   -- include: sessions_picked
        )
        GROUP BY device
    )
)
WHERE day BETWEEN {from:Date} AND {to:Date}
GROUP BY day
ORDER BY day;
