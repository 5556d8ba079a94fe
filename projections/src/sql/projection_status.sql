SELECT cursor.version AS live_version,
       coalesce(cursor.position, 0) AS position,
       log_head.position AS head,
       (SELECT recorded_at FROM events WHERE events.position = coalesce(cursor.position, 0) + 1)
           AS oldest_unprocessed_at,
       (SELECT count(*) FROM parked_events
        WHERE parked_events.projection = $1 AND parked_events.version = cursor.version) AS parked
FROM log_head
LEFT JOIN LATERAL (
    SELECT version, position FROM projection_cursors WHERE name = $1 ORDER BY version DESC LIMIT 1
) cursor ON true
