-- Contacts of one lead: what that lead says. Nearly all are, so this is what making contacts costs.
--
-- What is left out of the real fold, because this log has none of it: withdrawals, and leads that were taken back.
INSERT INTO pure_sql.contacts (campaign_id, contact_key, first_captured_at, first_client_id, last_captured_at, lead_count,
                               email, phone, phone_captured_at, phone_client_id, names, consents, withdrawn)
SELECT l.campaign_id, l.contact_key, l.captured_at, l.client_id, l.captured_at, 1, l.email, l.phone,
       CASE WHEN l.phone IS NOT NULL THEN l.captured_at END, CASE WHEN l.phone IS NOT NULL THEN l.client_id END,
       CASE WHEN l.first_name IS NULL AND l.last_name IS NULL THEN '[]'
            ELSE json_build_array(json_strip_nulls(json_build_object(
                     'firstName', l.first_name, 'lastName', l.last_name,
                     'capturedAt', pure_sql.rfc3339(l.captured_at, l.captured_offset_minutes), 'clientId', l.client_id)))
       END,
       coalesce(g.consents, '[]')::json, '[]'
FROM pure_sql.leads l
CROSS JOIN LATERAL (
    -- An object that ends with the lead: written as text, because to build it anew costs twice as much.
    SELECT '[' || string_agg(left(c::text, -1) || ',"clientId":"' || l.client_id || '"}', ','
                             ORDER BY c ->> 'id' COLLATE "C") || ']' AS consents
    FROM json_array_elements(l.consents) AS c
) g
WHERE NOT EXISTS (
    SELECT FROM pure_sql.shared s WHERE s.campaign_id = l.campaign_id AND s.contact_key = l.contact_key
)
