-- title: Events of the last minutes, of those before, and of a week ago
-- param: app String the app to ask about
-- param: minutes UInt32 = '60' how long, up to now, a day at most
-- param: event_type String = '' which events; empty: all
-- columns: events, events_before, events_week_ago
-- meaning: Events by arrival: in the last minutes, in as many before them, and in the last minutes of
-- meaning: a week ago. Copies count once. No row when there is none in any of the three.
SELECT
    uniqExactIf((device_id, event_id), age <= length) AS events,
    uniqExactIf((device_id, event_id), age > length AND age <= 2 * length) AS events_before,
    uniqExactIf((device_id, event_id), age >= week) AS events_week_ago
FROM
(
    SELECT
        device_id,
        event_id,
        dateDiff('second', received_at, now()) AS age,
        least({minutes:UInt32}, 1440) * 60 AS length,
        7 * 24 * 3600 AS week
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND ({event_type:String} = '' OR event_type = {event_type:String})
      AND received_at <= now()
      AND
        (
            received_at > now() - 2 * least({minutes:UInt32}, 1440) * 60
            OR received_at BETWEEN now() - 7 * 24 * 3600 - least({minutes:UInt32}, 1440) * 60
                           AND now() - 7 * 24 * 3600
        )
)
HAVING count() > 0;
