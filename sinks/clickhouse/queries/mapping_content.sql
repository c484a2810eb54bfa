-- title: One mapping
-- param: app String the app to ask about
-- param: release String = '' the release, as events name it
-- param: kind String = 'proguard' proguard or sourcemap
-- param: name String = '' of a source map: the file name of its bundle
-- columns: content
-- meaning: The mapping that was added last, as it was added.
SELECT content
FROM telemetry.mappings
WHERE app_id = {app:String}
  AND app_version = {release:String}
  AND kind = {kind:String}
  AND name = {name:String}
ORDER BY added_at DESC
LIMIT 1;
