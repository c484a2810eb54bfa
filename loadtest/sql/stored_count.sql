-- How many rows an app has, copies included: what verify cuts into shares.
SELECT count() AS rows
FROM telemetry.events
WHERE app_id = {app:String}
