-- A session that started in the period has no row in the ten days before it. Rows from the days
-- after it belong to it when the session has one in the last days of it.
AND day BETWEEN {from:Date} AND toDate32({to:Date}) + 10
AND (day <= {to:Date} OR session_id IN
  (
      SELECT session_id
      FROM telemetry.sessions
      WHERE app_id = {app:String}
        AND day BETWEEN greatest(toDate32({from:Date}), toDate32({to:Date}) - 10) AND {to:Date}
        AND session_id IN
          (
              SELECT session_id
              FROM telemetry.sessions
              WHERE app_id = {app:String}
                AND day BETWEEN toDate32({to:Date}) + 1 AND toDate32({to:Date}) + 10
          )
  ))
AND session_id NOT IN
  (
      SELECT session_id
      FROM telemetry.sessions
      WHERE app_id = {app:String}
        AND day BETWEEN toDate32({from:Date}) - 10 AND toDate32({from:Date}) - 1
  )
