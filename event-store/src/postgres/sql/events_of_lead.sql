SELECT e.position, e.aggregate_type, e.payload::text, e.metadata::text
FROM events e
WHERE e.aggregate_type IN ($2, $3) AND e.aggregate_id = $1
UNION ALL
SELECT e.position, e.aggregate_type, e.payload::text, e.metadata::text
FROM refused_submissions r
JOIN events e ON e.aggregate_type = $4 AND e.aggregate_id = r.submission_id
WHERE r.client_id = $1
