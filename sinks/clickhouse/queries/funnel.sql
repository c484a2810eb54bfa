-- title: How far devices come, step by step
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: steps String up to eight different event types or event names, comma between them, in their order
-- param: seconds UInt32 = '86400' within which the last step must follow the first
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: step, name, devices, share_percent, from_previous_percent
-- meaning: A device has reached a step when it did all steps up to it, each not before the one in
-- meaning: front of it (by ts), the last within `seconds` of the first; its best try counts. An event
-- meaning: is the step of its name, else that of its type. Shares are of the devices that did the
-- meaning: first step, and of those that did the step before; null where there are none.
-- windowFunnel takes the conditions one by one, so there are eight. Would an event be two steps, it
-- would pass both at once: so steps differ, and a name goes before a type.
WITH
    arrayFilter(one -> one != '', arrayMap(one -> trimBoth(one), splitByChar(',', {steps:String})))
        AS wanted
SELECT
    step,
    arrayElement(wanted, step) AS name,
    countIf(reached >= step) AS devices,
    round(100 * devices / nullIf(countIf(reached >= 1), 0), 3) AS share_percent,
    round(100 * devices / nullIf(countIf(reached >= greatest(step - 1, 1)), 0), 3)
        AS from_previous_percent
FROM
(
    SELECT
        windowFunnel(1000 * {seconds:UInt32})(
            toUInt64(toUnixTimestamp64Milli(ts)),
            number = 1,
            number = 2,
            number = 3,
            number = 4,
            number = 5,
            number = 6,
            number = 7,
            number = 8
        ) AS reached
    FROM
    (
        SELECT
            device_id,
            ts,
            toUInt8(indexOf(wanted, event_name)) AS by_name,
            if(by_name > 0, by_name, toUInt8(indexOf(wanted, event_type))) AS number
        FROM telemetry.events
        WHERE app_id = {app:String}
          AND throwIf(
              length(wanted) > 8 OR length(arrayDistinct(wanted)) < length(wanted),
              'steps: one to eight different names are needed, comma between them'
          ) = 0
          AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
          AND (event_type IN wanted OR event_name IN wanted)
          AND ({release:String} = '' OR app_version = {release:String})
          AND ({platform:String} = '' OR os_name = {platform:String})
          AND ({country:String} = '' OR country = {country:String})
    )
    GROUP BY device_id
)
ARRAY JOIN arrayEnumerate(wanted) AS step
GROUP BY step
ORDER BY step;
