-- LATERAL … LIMIT 1: always a loop over the index, however large the table was when the plan was made.
SELECT k.campaign_id, k.contact_key, c.first_captured_at, c.first_client_id, c.last_captured_at, c.lead_count,
       c.email, c.phone, c.phone_captured_at, c.phone_client_id, c.names, c.consents, c.withdrawn,
       w.client_id IS NOT NULL AS has_withdrawals
FROM unnest($1::text[], $2::text[]) AS k(campaign_id, contact_key)
LEFT JOIN LATERAL (
    SELECT first_captured_at, first_client_id, last_captured_at, lead_count,
           email, phone, phone_captured_at, phone_client_id,
           names::text AS names, consents::text AS consents, withdrawn::text AS withdrawn
    FROM contacts
    WHERE contacts.campaign_id = k.campaign_id AND contacts.contact_key = k.contact_key
    LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT client_id
    FROM leads
    WHERE leads.campaign_id = k.campaign_id AND leads.contact_key = k.contact_key AND leads.withdrawn IS NOT NULL
    LIMIT 1
) w ON true
WHERE c.first_client_id IS NOT NULL OR w.client_id IS NOT NULL
