UPDATE events e
SET payload = u.payload::json, metadata = u.metadata::json
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(position, payload, metadata)
WHERE e.position = u.position
