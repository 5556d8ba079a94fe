SELECT digest, position, recorded_at, reason, client_id, version, device_id, device_seq, sent_by,
       errors::text AS errors, raw
FROM quarantine
WHERE position > $1
ORDER BY position
LIMIT $2
