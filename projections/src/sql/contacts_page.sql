SELECT contact_key, email, phone, names::text AS names, lead_count, first_captured_at, last_captured_at,
       first_client_id, consents::text AS consents, withdrawn::text AS withdrawn
FROM contacts
WHERE campaign_id = $1 AND contact_key > $2
ORDER BY contact_key
LIMIT $3
