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
-- meaning: event of the device has, though a higher one arrived: lost before us, or still on the
-- meaning: phone; `gaps` are the places. `repeats`: events with the number of another one.
-- meaning: `inversions`: events whose number is lower than that of the device's event in front of
-- meaning: them in the partition. Each is counted for the event behind it, a copy in the hour in which
-- meaning: it came; what arrived outside of the period is not looked at.
-- A row is (number, offset, event, place), a place being the hash of what is grouped by: its texts
-- are looked up at the end. A device's rows are put into three orders: by event to find copies, by
-- number, and by offset.
SELECT
    hour,
    app_id,
    app_version,
    sdk_name,
    sdk_version,
    sum(event) AS stored,
    sum(copy) AS copies,
    sum(lost > 0) AS gaps,
    sum(lost) AS missing,
    sum(repeat) AS repeats,
    sum(inversion) AS inversions
FROM
(
    WITH
        arraySort(row -> (row.3, row.2), groupArray(row)) AS by_event,
        arrayEnumerateUniq(by_event.3) AS copy_numbers,
        arrayFilter((row, number) -> number = 1, by_event, copy_numbers) AS firsts,
        arraySort(row -> (row.1, row.2), firsts) AS by_number,
        arraySort(row -> row.2, arrayFilter(row -> row.1 > 0, firsts)) AS by_offset,
        arrayPopBack(arrayPushFront(by_number.1, toUInt64(0))) AS lower,
        arrayPopBack(arrayPushFront(by_offset.1, toUInt64(0))) AS in_front
    SELECT
        arrayJoin(
            arrayConcat(
                arrayMap(
                    (row, previous) -> (
                        row.4,
                        1,
                        0,
                        if(previous > 0 AND row.1 > previous, toUInt64(row.1 - previous - 1), 0),
                        row.1 > 0 AND row.1 = previous,
                        0
                    ),
                    by_number,
                    lower
                ),
                arrayMap(
                    row -> (row.4, 0, 0, 0, 0, 1),
                    arrayFilter((row, previous) -> row.1 < previous, by_offset, in_front)
                ),
                arrayMap(
                    row -> (row.4, 0, 1, 0, 0, 0),
                    arrayFilter((row, number) -> number > 1, by_event, copy_numbers)
                )
            )
        ) AS found,
        found.1 AS place,
        found.2 AS event,
        found.3 AS copy,
        found.4 AS lost,
        found.5 AS repeat,
        found.6 AS inversion
    FROM
    (
        SELECT
            app_id,
            device_id,
            (
                sequence,
                kafka_offset,
                event_id,
                cityHash64(
                    toStartOfHour(received_at), app_id, app_version, sdk_name, sdk_version, os_name
                )
            ) AS row
        FROM telemetry.events
        WHERE ({app:String} = '' OR app_id = {app:String})
          AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
    )
    GROUP BY app_id, device_id
) AS counted
INNER JOIN
(
    SELECT
        toStartOfHour(received_at) AS hour,
        app_id,
        app_version,
        sdk_name,
        sdk_version,
        os_name,
        cityHash64(hour, app_id, app_version, sdk_name, sdk_version, os_name) AS place
    FROM telemetry.events
    WHERE ({app:String} = '' OR app_id = {app:String})
      AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
      AND ({release:String} = '' OR app_version = {release:String})
      AND ({platform:String} = '' OR os_name = {platform:String})
    GROUP BY hour, app_id, app_version, sdk_name, sdk_version, os_name
) AS places USING (place)
GROUP BY hour, app_id, app_version, sdk_name, sdk_version
ORDER BY hour, app_id, app_version, sdk_name, sdk_version;
