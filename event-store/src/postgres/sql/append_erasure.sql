WITH recorded AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata, position, append_id)
    SELECT $1, $2, coalesce(max(e.sequence), 0) + 1, $3, $4, $5::json, $6::json, $7, $8
    FROM events e
    WHERE e.aggregate_type = $1 AND e.aggregate_id = $2
)
INSERT INTO erased_leads (client_id, position) VALUES ($2, $7)
