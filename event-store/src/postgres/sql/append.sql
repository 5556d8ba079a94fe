SELECT stored_position, stored_append_id, stored_digest, is_new, standing, holder_client_id, holder_position
FROM append_events_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
