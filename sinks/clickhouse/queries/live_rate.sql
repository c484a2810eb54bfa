-- title: What is stored right now
-- param: app String = '' the app to ask about; empty: all apps
-- param: minutes UInt32 = '10' how far back from now, a day at most
-- param: step UInt32 = '5' seconds per row
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: at, events, events_per_second, freshness_p50_seconds, freshness_max_seconds
-- meaning: Events that arrived at the gateway in each step of the last minutes and can be queried
-- meaning: now, and how long they took from there to their row. A step without events is a row too;
-- meaning: the last one is not over. Of copies that were stored the first one counts.
SELECT
    at,
    sum(counted) AS events,
    round(events / greatest({step:UInt32}, 1), 3) AS events_per_second,
    round(quantileExactInclusiveIf(0.5)(seconds, counted = 1), 3) AS freshness_p50_seconds,
    round(maxIf(seconds, counted = 1), 3) AS freshness_max_seconds
FROM
(
    SELECT
        toStartOfInterval(min(received_at), toIntervalSecond(greatest({step:UInt32}, 1))) AS at,
        1 AS counted,
        argMin(dateDiff('millisecond', received_at, inserted_at), inserted_at) / 1000 AS seconds
    FROM telemetry.events
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND received_at >= now64(3) - toIntervalMinute(least({minutes:UInt32}, 1440))
      AND ({release:String} = '' OR app_version = {release:String})
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY app_id, device_id, event_id
)
GROUP BY at
ORDER BY at WITH FILL
    FROM toStartOfInterval(now(), toIntervalSecond(greatest({step:UInt32}, 1))) - toIntervalMinute(least({minutes:UInt32}, 1440))
    TO now() + toIntervalSecond(1)
    STEP toIntervalSecond(greatest({step:UInt32}, 1));
