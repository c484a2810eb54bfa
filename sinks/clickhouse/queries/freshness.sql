-- title: How fast events can be queried
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: p50_seconds, p99_seconds
-- meaning: Seconds from an event's arrival at the gateway to its row in ClickHouse, over the events
-- meaning: that arrived in the period. A copy that was stored counts too, until it is merged away.
-- Milliseconds repeat: counting them first is cheaper than sorting all.
SELECT
    round(quantileExactWeightedInterpolated(0.5)(milliseconds, events) / 1000, 3) AS p50_seconds,
    round(quantileExactWeightedInterpolated(0.99)(milliseconds, events) / 1000, 3) AS p99_seconds
FROM
(
    SELECT
        toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(received_at) AS milliseconds,
        count() AS events
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
      AND ({release:String} = '' OR app_version = {release:String})
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY milliseconds
)
HAVING count() > 0;
