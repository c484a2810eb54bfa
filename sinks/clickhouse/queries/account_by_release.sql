-- title: What arrived of each release and SDK, and what seems to be missing
-- param: app String = '' the app to ask about; empty: all apps
-- param: from Date first day, UTC, by arrival
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- columns: hour, app_id, app_version, sdk_name, sdk_version, stored, copies, gaps, missing, repeats
-- columns: inversions
-- meaning: Per hour of arrival. `stored`: events, each once. `copies`: further rows of them that are
-- meaning: not merged yet. Where an SDK numbers its events (sequence): `missing` numbers that no
-- meaning: event of the device has, though a later one arrived: lost before us, or still on the
-- meaning: phone; `gaps` are the places. `repeats`: events with the number of another one.
-- meaning: `inversions`: events behind one with a higher number in the device's partition. Each is
-- meaning: counted for the event behind it; what came before the period is not looked at.
WITH counted AS
(
    SELECT
        app_id,
        device_id,
        event_id,
        min((received_at, kafka_offset)) AS came,
        argMin(app_version, (received_at, kafka_offset)) AS release_of,
        argMin(sdk_name, (received_at, kafka_offset)) AS sdk_of,
        argMin(sdk_version, (received_at, kafka_offset)) AS sdk_version_of,
        argMin(os_name, (received_at, kafka_offset)) AS platform_of,
        argMin(sequence, (received_at, kafka_offset)) AS number,
        count() AS rows
    FROM telemetry.events
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
    GROUP BY app_id, device_id, event_id
)
SELECT
    toStartOfHour(came.1) AS hour,
    app_id,
    release_of AS app_version,
    sdk_of AS sdk_name,
    sdk_version_of AS sdk_version,
    count() AS stored,
    sum(rows) - stored AS copies,
    countIf(number > previous + 1 AND previous > 0) AS gaps,
    sumIf(number - previous - 1, number > previous + 1 AND previous > 0) AS missing,
    countIf(number > 0 AND number = previous) AS repeats,
    countIf(number > 0 AND number < highest) AS inversions
FROM
(
    SELECT
        *,
        lagInFrame(number) OVER (PARTITION BY app_id, device_id ORDER BY number, came, event_id) AS previous,
        max(number) OVER (PARTITION BY app_id, device_id ORDER BY came.2, event_id) AS highest
    FROM counted
)
WHERE ({release:String} = '' OR app_version = {release:String})
  AND ({platform:String} = '' OR platform_of = {platform:String})
GROUP BY hour, app_id, app_version, sdk_name, sdk_version
ORDER BY hour, app_id, app_version, sdk_name, sdk_version;
