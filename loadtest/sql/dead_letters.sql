-- Which of the named events a sink could never store and put aside.
SELECT DISTINCT event_id
FROM telemetry.dead_letters
WHERE source = 'sink'
  AND app_id = {app:String}
  AND event_id IN {event_ids:Array(String)}
