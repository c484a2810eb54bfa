-- title: How fast events can be queried
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- meaning: Seconds from an event's arrival at the gateway to its row in ClickHouse, over the events
-- meaning: that arrived in the period.
SELECT
    round(quantileExact(0.5)(seconds), 3) AS p50_seconds,
    round(quantileExact(0.99)(seconds), 3) AS p99_seconds
FROM
(
    SELECT dateDiff('millisecond', received_at, inserted_at) / 1000 AS seconds
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
)
HAVING count() > 0;
