-- title: Mappings of an app's releases
-- param: app String the app to ask about
-- param: release String = '' only this app_version; empty: all
-- columns: app_version, kind, name, bytes, sha256, added_at
-- meaning: What makes crash stacks readable: R8's mapping (kind proguard) and source maps of
-- meaning: JavaScript bundles, by release; of each the one that was added last.
SELECT app_version, kind, name, bytes, sha256, added_at
FROM telemetry.mappings
WHERE app_id = {app:String}
  AND ({release:String} = '' OR app_version = {release:String})
ORDER BY app_version, kind, name, added_at DESC
LIMIT 1 BY app_version, kind, name;
