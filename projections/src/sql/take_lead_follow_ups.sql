DELETE FROM lead_follow_ups
WHERE client_id = ANY ($1)
RETURNING client_id, follow_up::text AS follow_up
