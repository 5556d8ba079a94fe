-- OFFSET 0: always a loop over the index, however large the table was when the plan was made.
SELECT l.*
FROM unnest($1::text[], $2::text[]) AS k(campaign_id, contact_key)
CROSS JOIN LATERAL (
    SELECT client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
           captured_at, captured_offset_minutes, recorded_at,
           first_name, last_name, email, phone, operator, consents::text AS consents, flags,
           version_recorded_at, clock_offset_ms, is_voided, withdrawn::text AS withdrawn
    FROM leads
    WHERE leads.campaign_id = k.campaign_id AND leads.contact_key = k.contact_key
    OFFSET 0
) l
