SELECT position, append_id, recorded_at, aggregate_type, aggregate_id, sequence,
       event_type, event_version, payload::text AS payload, metadata::text AS metadata
FROM events
WHERE aggregate_type = 'person' AND position > $1 AND aggregate_type = $3
ORDER BY position
LIMIT $2
