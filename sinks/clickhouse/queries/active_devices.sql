-- title: Devices that were active, by day, week and month
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, daily_devices, weekly_devices, monthly_devices
-- meaning: Devices with any event on the day, in the 7 days and in the 30 days that end with it
-- meaning: (UTC, by ts). A device counts with all it did in those days, also before the period. A day
-- meaning: without a device in its month has no row.
-- A device counts from each of its days on, until its next one or for 7 or 30 days: intervals that
-- do not overlap, so that their starts and ends, added up, are the devices of every day. They are
-- counted by start and length first, which are few.
SELECT
    toDate(number) AS day,
    toUInt64(daily) AS daily_devices,
    toUInt64(weekly) AS weekly_devices,
    toUInt64(monthly) AS monthly_devices
FROM
(
    SELECT
        number,
        sum(sum(of_day)) OVER (ORDER BY number) AS daily,
        sum(sum(of_week)) OVER (ORDER BY number) AS weekly,
        sum(sum(of_month)) OVER (ORDER BY number) AS monthly
    FROM
    (
        SELECT
            arrayJoin([
                (active_on, 1, 1, 1),
                (active_on + 1, -1, 0, 0),
                (active_on + least(7, length), 0, -1, 0),
                (active_on + length, 0, 0, -1)
            ]) AS change,
            least(greatest(change.1, toInt32({from:Date})), toInt32({to:Date}) + 1) AS number,
            change.2 * devices AS of_day,
            change.3 * devices AS of_week,
            change.4 * devices AS of_month
        FROM
        (
            SELECT
                toInt32(active_on) AS active_on,
                least(30, next - active_on) AS length,
                toInt64(count()) AS devices
            FROM
            (
                SELECT
                    arraySort(groupArray(toUInt16(day))) AS days,
                    arrayPushBack(arrayPopFront(days), toUInt16(65535)) AS nexts
                FROM telemetry.device_days
                WHERE app_id = {app:String}
                  AND day BETWEEN toDate32({from:Date}) - 29 AND {to:Date}
                  AND ({release:String} = '' OR app_version = {release:String})
                  AND ({platform:String} = '' OR os_name = {platform:String})
                  AND ({country:String} = '' OR country = {country:String})
                GROUP BY device_key
            )
            ARRAY JOIN
                days AS active_on,
                nexts AS next
            WHERE next > active_on
            GROUP BY active_on, length
        )
    )
    GROUP BY number
    ORDER BY number WITH FILL INTERPOLATE (daily, weekly, monthly)
)
WHERE number <= toInt32({to:Date})
  AND monthly > 0
ORDER BY day;
