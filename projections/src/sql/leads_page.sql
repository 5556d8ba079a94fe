-- The leads of a campaign behind a position, and how far the statement looked. The page is bounded by what it looks at,
-- not by what it finds: so no filter makes it long, and a page without a match is told from the end.
WITH page AS MATERIALIZED (
    SELECT * FROM leads
    WHERE campaign_id = $1 AND position > $2 AND NOT is_voided
    ORDER BY position
    LIMIT $3
)
SELECT looked.through, position, captured_at, first_name, last_name, email, phone, operator, flags, device_id, device_seq,
       recorded_at, client_id, version, version_recorded_at, campaign_version, consents::text AS consents,
       withdrawn::text AS withdrawn
FROM (SELECT max(position) AS through FROM page) looked
LEFT JOIN page ON ($4::text IS NULL OR device_id = $4)
              AND ($5::timestamptz IS NULL OR captured_at >= $5)
              AND ($6::timestamptz IS NULL OR captured_at < $6)
              AND ($7::text IS NULL OR strpos(consents::text, $7) > 0)
ORDER BY position
