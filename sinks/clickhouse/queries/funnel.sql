-- title: How far devices come, step by step
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: steps String two to eight event types or event names, comma between them, in their order
-- param: seconds UInt32 = '86400' within which the last step must follow the first
-- param: release String = '' only this app_version; empty: all
-- param: platform String = '' only this os_name; empty: all
-- param: country String = '' only this country; empty: all
-- columns: step, name, devices, share_percent, from_previous_percent
-- meaning: A device has reached a step when its events hold all steps up to it, each later (by ts)
-- meaning: than the one before, the last within `seconds` of the first; its best try counts. An
-- meaning: event is a step when its type or its name is that. Shares are of the devices that did
-- meaning: the first step, and of those that did the step before; null where there are none.
-- windowFunnel takes the conditions one by one, so there are eight; missing steps match nothing.
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
        device_id,
        windowFunnel({seconds:UInt32} * 1000, 'strict_increase')(
            toUInt64(toUnixTimestamp64Milli(ts)),
            event_type = wanted[1] OR event_name = wanted[1],
            event_type = wanted[2] OR event_name = wanted[2],
            event_type = wanted[3] OR event_name = wanted[3],
            event_type = wanted[4] OR event_name = wanted[4],
            event_type = wanted[5] OR event_name = wanted[5],
            event_type = wanted[6] OR event_name = wanted[6],
            event_type = wanted[7] OR event_name = wanted[7],
            event_type = wanted[8] OR event_name = wanted[8]
        ) AS reached
    FROM telemetry.events
    WHERE app_id = {app:String}
      AND toDate(ts) BETWEEN {from:Date} AND {to:Date}
      AND (event_type IN wanted OR event_name IN wanted)
      AND ({release:String} = '' OR app_version = {release:String})
      AND ({platform:String} = '' OR os_name = {platform:String})
      AND ({country:String} = '' OR country = {country:String})
    GROUP BY device_id
)
ARRAY JOIN arrayEnumerate(wanted) AS step
GROUP BY step
ORDER BY step;
