-- title: How a release spreads
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: day, app_version, devices, share_percent
-- meaning: A device counts once a day, for the release it ran last on that day. The share is of all
-- meaning: devices active on that day on the platform and in the country asked for, so that the
-- meaning: shares of a day add up to 100; `release` picks one line of them.
-- A device-day is one number, as is the moment of its last event with the place of its release among
-- all in their order. The numbers are made of a hash of 128 bits: days differ in its last 16.
WITH
    (
        SELECT arraySort(groupUniqArray(app_version))
        FROM telemetry.device_days
        WHERE app_id = {app:String}
          AND day BETWEEN {from:Date} AND {to:Date}
    ) AS releases
SELECT
    day,
    app_version,
    devices,
    share_percent
FROM
(
    SELECT
        toDate(fromUnixTimestamp64Milli(toInt64(bitShiftRight(last, 16)), 'UTC')) AS day,
        arrayElement(releases, bitAnd(last, 65535)) AS app_version,
        count() AS devices,
        round(100 * devices / sum(devices) OVER (PARTITION BY day), 3) AS share_percent
    FROM
    (
        SELECT
            max(
                bitShiftLeft(toUInt64(toUnixTimestamp64Milli(last_ts)), 16)
                + transform(app_version, releases, arrayEnumerate(releases), toUInt32(0))
            ) AS last
        FROM telemetry.device_days
        WHERE app_id = {app:String}
          AND day BETWEEN {from:Date} AND {to:Date}
          AND ({platform:String} = '' OR os_name = {platform:String})
          AND ({country:String} = '' OR country = {country:String})
        GROUP BY bitXor(device_key, toUInt128(toUInt16(day)))
    )
    GROUP BY day, app_version
)
WHERE {release:String} = '' OR app_version = {release:String}
ORDER BY day, app_version;
