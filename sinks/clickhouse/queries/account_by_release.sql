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
-- meaning: them in the partition. Each is counted for the event behind it; what arrived outside of
-- meaning: the period is not looked at.
-- A row is (number, came, offset, event, hour, release, sdk, its version, platform). A device's rows
-- are put into three orders: by event to find copies, by number, and by offset.
SELECT
    place.1 AS hour,
    app_id,
    place.2 AS app_version,
    place.3 AS sdk_name,
    place.4 AS sdk_version,
    sum(counts.1) AS stored,
    sum(counts.2) AS copies,
    sum(counts.3 > 0) AS gaps,
    sum(counts.3) AS missing,
    sum(counts.4) AS repeats,
    sum(counts.5) AS inversions
FROM
(
    WITH
        arraySort(row -> (row.4, row.2, row.3), groupArray(row)) AS by_event,
        arrayEnumerateUniq(by_event.4) AS copy_numbers,
        arrayFilter((row, number) -> number = 1, by_event, copy_numbers) AS events,
        arraySort(row -> (row.1, row.2, row.3), events) AS by_number,
        arraySort(row -> row.3, arrayFilter(row -> row.1 > 0, events)) AS by_offset
    SELECT
        app_id,
        arrayJoin(
            arrayConcat(
                arrayMap(
                    (row, previous) -> (
                        (row.5, row.6, row.7, row.8, row.9),
                        (
                            toUInt64(1),
                            toUInt64(0),
                            if(previous > 0 AND row.1 > previous, toUInt64(row.1 - previous - 1), 0),
                            toUInt64(row.1 > 0 AND row.1 = previous),
                            toUInt64(0)
                        )
                    ),
                    by_number,
                    arrayPopBack(arrayPushFront(by_number.1, toUInt64(0)))
                ),
                arrayMap(
                    (row, previous) -> (
                        (row.5, row.6, row.7, row.8, row.9),
                        (
                            toUInt64(0),
                            toUInt64(0),
                            toUInt64(0),
                            toUInt64(0),
                            toUInt64(row.1 < previous)
                        )
                    ),
                    by_offset,
                    arrayPopBack(arrayPushFront(by_offset.1, toUInt64(0)))
                ),
                arrayMap(
                    row -> (
                        (row.5, row.6, row.7, row.8, row.9),
                        (toUInt64(0), toUInt64(1), toUInt64(0), toUInt64(0), toUInt64(0))
                    ),
                    arrayFilter((row, number) -> number > 1, by_event, copy_numbers)
                )
            )
        ) AS found,
        found.1 AS place,
        found.2 AS counts
    FROM
    (
        SELECT
            app_id,
            device_id,
            (
                sequence,
                received_at,
                kafka_offset,
                event_id,
                toStartOfHour(received_at),
                app_version,
                sdk_name,
                sdk_version,
                os_name
            ) AS row
        FROM telemetry.events
        WHERE ({app:String} = '' OR app_id = {app:String})
          AND toDate(received_at) BETWEEN {from:Date} AND {to:Date}
    )
    GROUP BY app_id, device_id
)
WHERE ({release:String} = '' OR place.2 = {release:String})
  AND ({platform:String} = '' OR place.5 = {platform:String})
GROUP BY hour, app_id, app_version, sdk_name, sdk_version
ORDER BY hour, app_id, app_version, sdk_name, sdk_version;
