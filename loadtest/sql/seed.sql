-- Events of the devices [first, first + count), made by hashes of the seed: the same seed and last
-- day are the same events, byte for byte. Half of the devices are older than the period, the others
-- come in it and come back less and less. A device updates up to seven days after a release.
INSERT INTO telemetry.events
(
    event_id, app_id, app_package, event_type, event_name, device_id, user_id, session_id, sequence,
    occurred_at, sent_at, received_at, ts, time_quality, app_version, app_build, os_name,
    os_version, device_manufacturer, device_model, device_type, locale, timezone, network_type,
    sdk_name, sdk_version, protocol, request_id, country, duration_ms, crash_kind, crash_fatal,
    crash_type, crash_reason, crash_stack, crash_group, crash_group_version, properties,
    kafka_cluster, kafka_topic, kafka_partition, kafka_offset, chunk_start, chunk_end, inserted_at
)
WITH
    cityHash64({seed:UInt64}, {last:Date}) AS key,
    (hash) -> hash / 18446744073709551616 AS share,
    toUnixTimestamp(toDateTime({last:Date}, 'UTC')) * 1000 AS last_ms,
    greatest(intDiv({days:UInt32}, 5), 1) AS release_days,
    ['Android', 'Android', 'Android', 'iOS', 'iOS'] AS systems,
    ['13', '14', '15', '17.6', '18.1'] AS system_versions,
    ['Xiaomi', 'Samsung', 'Google', 'Apple', 'Apple'] AS makers,
    ['Redmi Note 12', 'Galaxy S24', 'Pixel 8', 'iPhone 13', 'iPhone 15'] AS models,
    ['US', 'DE', 'FR', 'GB', 'JP', 'BR', 'IN', 'PL'] AS lands,
    ['en-US', 'de-DE', 'fr-FR', 'en-GB', 'ja-JP', 'pt-BR', 'hi-IN', 'pl-PL'] AS locales,
    ['home', 'search', 'list', 'product', 'cart', 'account'] AS screens,
    ['search', 'view_item', 'add_to_cart', 'checkout', 'purchase'] AS tracks,
    ['IllegalStateException', 'NullPointerException', 'IndexOutOfBoundsException',
     'NSRangeException', 'EXC_BAD_ACCESS', 'OutOfMemoryError'] AS crash_types,
    ['Cart', 'Checkout', 'Search', 'Sync', 'Login', 'Player', 'Feed'] AS classes
SELECT
    reinterpretAsUUID(sipHash128(key, device, session, place)) AS event_id,
    {app:String},
    'com.example.shop',
    type,
    multiIf(
        type = 'screen', screens[1 + intDiv(toUInt32(36 * pow(share(event_hash), 2)), 6)],
        type = 'track', tracks[1 + intDiv(toUInt32(25 * pow(share(event_hash), 1.5)), 5)],
        ''
    ) AS name,
    device_id,
    if(device % 3 = 0, concat('user-', toString(device)), ''),
    reinterpretAsUUID(sipHash128(key, device, session)) AS session_id,
    number,
    fromUnixTimestamp64Milli(ts_ms, 'UTC') AS time,
    fromUnixTimestamp64Milli(received_ms - 200, 'UTC'),
    fromUnixTimestamp64Milli(received_ms, 'UTC'),
    time,
    'corrected',
    app_version,
    toString(100 + release),
    systems[model],
    system_versions[model],
    makers[model],
    models[model],
    'phone',
    locales[land],
    'Etc/UTC',
    if(session_hash % 3 = 0, 'cellular', 'wifi'),
    if(model > 3, 'telemetry-ios', 'telemetry-android'),
    concat('2.', toString(intDiv(release, 2))),
    'native',
    lower(hex(session_hash)),
    lands[if(session_hash % 40 = 0, 1 + device % 8, land)],
    if(type = 'app_close', toUInt32(place * step_ms), 0),
    if(is_crash, 'exception', ''),
    is_crash,
    if(is_crash, crash_types[1 + crash_number % 6], '') AS exception,
    if(is_crash, concat('state ', toString(event_hash % 5)), ''),
    if(
        is_crash,
        concat(
            '[{"module":"com.example.', classes[1 + crash_number % 7], '","function":"on',
            classes[1 + crash_number % 5], '","line":', toString(20 + release),
            ',"in_app":true},{"module":"com.example.', classes[1 + crash_number % 3],
            '","function":"run","line":', toString(40 + crash_number),
            ',"in_app":true},{"module":"system.Loop","function":"next","in_app":false}]'
        ),
        ''
    ),
    if(is_crash, cityHash64('crash group', crash_number), 0),
    toUInt8(is_crash),
    if(
        type = 'track',
        map('price', toString(event_hash % 10000 / 100), 'item', toString(event_hash % 1000)),
        map()
    ),
    'seed',
    {topic:String},
    0,
    {offset:UInt64} + offset_in_chunk,
    {offset:UInt64},
    {offset:UInt64} + max(offset_in_chunk) OVER () + 1,
    fromUnixTimestamp64Milli(received_ms + 300 + event_hash % 1500, 'UTC')
FROM
(
    SELECT
        *,
        row_number() OVER (ORDER BY received_ms, device, ts_ms) - 1 AS offset_in_chunk
    FROM
    (
        SELECT
            *,
            row_number() OVER (PARTITION BY device ORDER BY ts_ms, session, place) AS number
        FROM
        (
            SELECT
                device,
                device_id,
                session,
                session_hash,
                model,
                land,
                release,
                app_version,
                step_ms,
                place,
                cityHash64(key, device, session, place, 'event') AS event_hash,
                multiIf(
                    place = 0, 'app_open',
                    place < events - 1, if(event_hash % 5 < 3, 'screen', 'track'),
                    end_share < if(release = 3, 0.03, 0.006), 'app_crash',
                    end_share < 0.86, 'app_close',
                    'screen'
                ) AS type,
                type = 'app_crash' AS is_crash,
                toUInt32(12 * pow(share(cityHash64(session_hash, 'crash')), 2.5)) AS crash_number,
                start_ms + place * step_ms + if(place = 0, 0, event_hash % 900) AS ts_ms,
                least(
                    ts_ms + multiIf(
                        is_crash, event_hash % 86400000,
                        session_hash % 25 = 0, 3600000 + session_hash % 172800000,
                        5000
                    ),
                    greatest(ts_ms, last_ms + 86400000)
                ) + 300 + event_hash % 1000 AS received_ms
            FROM
            (
                SELECT
                    device,
                    device_id,
                    session,
                    model,
                    land,
                    cityHash64(key, device, session, 'session') AS session_hash,
                    share(cityHash64(session_hash, 'end')) AS end_share,
                    session % 2 = 1 AND session_hash % 5 = 0 AS goes_on,
                    cityHash64(key, device, session - goes_on, 'session') AS base,
                    4 + base % 8 AS base_events,
                    1000 + toInt64(40000 * pow(share(cityHash64(base, 'step')), 2)) AS base_step_ms,
                    4 + session_hash % 8 AS events,
                    1000 + toInt64(40000 * pow(share(cityHash64(session_hash, 'step')), 2)) AS step_ms,
                    first_day + multiIf(
                        is_old, toInt32(({days:UInt32} - 0.001) * share(base)),
                        session - goes_on = 0, 0,
                        toInt32(({days:UInt32} - first_day - 0.001) * pow(share(base), 3))
                    ) AS day,
                    last_ms - ({days:UInt32} - 1 - day) * 86400000
                        + toInt64(
                            86390000 * (share(cityHash64(base, 'a')) + share(cityHash64(base, 'b')))
                                / 2
                        )
                        + if(
                            goes_on,
                            (base_events - 1) * base_step_ms + 900 + session_hash % 25000,
                            0
                        ) AS start_ms,
                    intDiv(greatest(day + release_days - lag_days, 0), release_days) AS release,
                    concat('4.', toString(release), '.0') AS app_version
                FROM
                (
                    SELECT
                        number AS device,
                        cityHash64(key, device) AS device_hash,
                        toString(reinterpretAsUUID(sipHash128(key, device, 'device'))) AS device_id,
                        1 + device_hash % 5 AS model,
                        1 + intDiv(toUInt32(64 * pow(share(device_hash), 2)), 8) AS land,
                        intDiv(device_hash, 5) % 7 AS lag_days,
                        device % 2 = 0 AS is_old,
                        if(is_old, 0, toInt32(({days:UInt32} - 0.001) * share(device_hash)))
                            AS first_day,
                        arrayJoin(
                            range(
                                1 + toUInt32(
                                    -log(share(cityHash64(device_hash, 'count')) + 1e-9)
                                        * ({sessions:Float64} - 0.5)
                                )
                            )
                        ) AS session
                    FROM numbers({first:UInt64}, {count:UInt64})
                )
            )
            ARRAY JOIN range(events) AS place
        )
    )
    WHERE event_hash % 1000 != 0
)
