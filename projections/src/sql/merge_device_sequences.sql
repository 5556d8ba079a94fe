-- Each part is a union or a maximum (and greatest() passes over null), so that the order of the events does not matter.
INSERT INTO device_sequences (device_id, here, saved_through, heard_at, heard_position)
SELECT u.device_id, u.here::int8multirange, u.saved_through, u.heard_at, u.heard_position
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[])
     AS u(device_id, here, saved_through, heard_at, heard_position)
ON CONFLICT (device_id) DO UPDATE SET
    here = device_sequences.here + excluded.here,
    saved_through = greatest(device_sequences.saved_through, excluded.saved_through),
    heard_at = greatest(device_sequences.heard_at, excluded.heard_at),
    heard_position = greatest(device_sequences.heard_position, excluded.heard_position)
