SELECT stored_position, stored_append_id, stored_digest, is_new, holder_client_id, holder_position
FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
