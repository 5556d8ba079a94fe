-- Writes what devices have said of themselves; of two that were said, the later one stays, but for one of the future, which was
-- heard before the clock was set. $1 devices, $2 when they were heard,
-- $3 leads left, $4 since when, $5 whether the storage is kept, $6 versions.
INSERT INTO device_conditions (device_id, heard_at, left_count, oldest_left_at, is_storage_persisted, app_version)
SELECT * FROM UNNEST($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[])
ORDER BY 1
ON CONFLICT (device_id) DO UPDATE SET
    heard_at = excluded.heard_at,
    left_count = excluded.left_count,
    oldest_left_at = excluded.oldest_left_at,
    is_storage_persisted = excluded.is_storage_persisted,
    app_version = excluded.app_version
WHERE device_conditions.heard_at <= excluded.heard_at
   OR device_conditions.heard_at > excluded.heard_at + interval '120 seconds'
