-- title: The crashes that happen most
-- param: app String the app to ask about
-- param: from Date first day, UTC
-- param: to Date last day, UTC, inclusive
-- param: limit UInt32 = '20' how many groups
-- columns: crash_group, crash_type, crash_reason, crashes, devices, first_seen, last_seen
-- meaning: A group is one crash as people mean it: same exception type, same top frames of the
-- meaning: app's own code. Crashes and devices are counted once each; type and reason are a sample.
SELECT
    lower(leftPad(hex(groups.crash_group), 16, '0')) AS crash_group,
    max(groups.crash_type) AS crash_type,
    max(groups.crash_reason) AS crash_reason,
    uniqExactMerge(groups.crashes) AS crashes,
    uniqExactMerge(groups.devices) AS devices,
    min(groups.first_seen) AS first_seen,
    max(groups.last_seen) AS last_seen
FROM telemetry.crash_groups AS groups
WHERE groups.app_id = {app:String}
  AND groups.day BETWEEN {from:Date} AND {to:Date}
GROUP BY groups.crash_group
ORDER BY crashes DESC, crash_group
LIMIT {limit:UInt32};
