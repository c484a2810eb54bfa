-- title: How fast events can be queried
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: p50_seconds, p99_seconds
-- meaning: Seconds from an event's arrival at the gateway to its row in ClickHouse, over the events
-- meaning: that arrived in the period. Of copies that were stored the first one counts.
SELECT
    round(quantileExactInclusive(0.5)(seconds), 3) AS p50_seconds,
    round(quantileExactInclusive(0.99)(seconds), 3) AS p99_seconds
FROM
(
    SELECT argMin(dateDiff('millisecond', received_at, inserted_at), inserted_at) / 1000 AS seconds
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
      AND ({release:String} = '' OR app_version = {release:String})
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY device_id, event_id
)
HAVING count() > 0;
