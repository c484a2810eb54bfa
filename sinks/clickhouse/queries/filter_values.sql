-- title: What an app can be filtered by
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: limit UInt32 = '200' how many values of each
-- columns: filter, value, events
-- meaning: The releases, platforms and countries seen in the period (by ts), each with the events that
-- meaning: have it, the most frequent first. Events are counted as hourly does.
SELECT
    pair.1 AS filter,
    pair.2 AS value,
    sum(hourly.events) AS events
FROM telemetry.hourly AS hourly
ARRAY JOIN
    [
        ('release', toString(app_version)),
        ('platform', toString(os_name)),
        ('country', toString(country))
    ] AS pair
WHERE app_id = {app:String}
  AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
  AND pair.2 != ''
GROUP BY filter, value
ORDER BY filter, events DESC, value
LIMIT {limit:UInt32} BY filter;
