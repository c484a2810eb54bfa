-- A device with a release is one number: of two hashes, 128 bits each.
AND ({platform:String} = '' OR
    bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
IN
  (
      SELECT bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
      FROM telemetry.device_days
      WHERE app_id = {app:String}
        AND day BETWEEN {from:Date} AND {to:Date}
        AND os_name = {platform:String}
  ))
AND ({country:String} = '' OR
    bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
IN
  (
      SELECT bitXor(device_key, reinterpretAsUInt128(sipHash128(app_version)))
      FROM telemetry.device_days
      WHERE app_id = {app:String}
        AND day BETWEEN {from:Date} AND {to:Date}
        AND country = {country:String}
  ))
