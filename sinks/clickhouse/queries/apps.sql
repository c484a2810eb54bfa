-- title: The apps that send events
-- param: app String = '' only this app; empty: all apps
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- columns: app_id, events, last_hour
-- meaning: Every app with events in the period (by ts), the busiest first, and the hour of its newest
-- meaning: one. Events are counted as hourly does: a late copy counts until it is rebuilt.
SELECT
    app_id,
    sum(hourly.events) AS events,
    max(hour) AS last_hour
FROM telemetry.hourly AS hourly
WHERE ({app:String} = '' OR app_id = {app:String})
  AND toDate(hour) BETWEEN {from:Date} AND {to:Date}
GROUP BY app_id
ORDER BY events DESC, app_id;
