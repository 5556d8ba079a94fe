-- LATERAL … LIMIT 1: always a loop over the index, however large the table was when the plan was made.
SELECT c.*
FROM unnest($1::text[], $2::text[]) AS k(campaign_id, contact_key)
CROSS JOIN LATERAL (
    SELECT campaign_id, contact_key, first_captured_at, first_client_id, last_captured_at, lead_count,
           email, phone, phone_captured_at, phone_client_id, names::text AS names, consents::text AS consents
    FROM contacts
    WHERE contacts.campaign_id = k.campaign_id AND contacts.contact_key = k.contact_key
    LIMIT 1
) c
