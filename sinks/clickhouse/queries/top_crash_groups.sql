-- title: The crashes that happen most
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: limit UInt32 = '20' how many groups
-- meaning: A group is one crash as people mean it: same exception type, same top frames of the
-- meaning: app's own code. Crashes and devices are counted once each.
SELECT
    lower(leftPad(hex(crash_group), 16, '0')) AS crash_group,
    any(crash_groups.crash_type) AS crash_type,
    any(crash_groups.crash_reason) AS crash_reason,
    uniqExactMerge(crash_groups.crashes) AS crashes,
    uniqExactMerge(crash_groups.devices) AS devices,
    min(crash_groups.first_seen) AS first_seen,
    max(crash_groups.last_seen) AS last_seen
FROM telemetry.crash_groups AS crash_groups
WHERE crash_groups.app_id = {app:String}
  AND crash_groups.day BETWEEN {from:Date} AND {to:Date}
GROUP BY crash_groups.crash_group
ORDER BY crashes DESC, crash_group
LIMIT {limit:UInt32};
