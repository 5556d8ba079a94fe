-- The contacts of a campaign behind a key, and how far the statement looked; see leads_page.sql.
WITH page AS MATERIALIZED (
    SELECT * FROM contacts
    WHERE campaign_id = $1 AND contact_key > $2
    ORDER BY contact_key
    LIMIT $3
)
SELECT looked.through, email, phone, names::text AS names, lead_count, first_captured_at, last_captured_at,
       first_client_id, consents::text AS consents, withdrawn::text AS withdrawn
FROM (SELECT max(contact_key) AS through FROM page) looked
LEFT JOIN page ON ($4::timestamptz IS NULL OR first_captured_at >= $4)
              AND ($5::timestamptz IS NULL OR first_captured_at < $5)
              AND ($6::text IS NULL OR strpos(consents::text, $6) > 0)
ORDER BY contact_key
