INSERT INTO contacts (campaign_id, contact_key, first_captured_at, first_client_id, last_captured_at, lead_count,
                      email, phone, phone_captured_at, phone_client_id, names, consents, withdrawn)
SELECT u.campaign_id, u.contact_key, u.first_captured_at, u.first_client_id, u.last_captured_at, u.lead_count,
       u.email, u.phone, u.phone_captured_at, u.phone_client_id, u.names::json, u.consents::json, u.withdrawn::json
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::timestamptz[], $6::bigint[],
            $7::text[], $8::text[], $9::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::text[])
     AS u(campaign_id, contact_key, first_captured_at, first_client_id, last_captured_at, lead_count,
          email, phone, phone_captured_at, phone_client_id, names, consents, withdrawn)
ON CONFLICT (campaign_id, contact_key) DO UPDATE SET
    first_captured_at = excluded.first_captured_at,
    first_client_id = excluded.first_client_id,
    last_captured_at = excluded.last_captured_at,
    lead_count = excluded.lead_count,
    email = excluded.email,
    phone = excluded.phone,
    phone_captured_at = excluded.phone_captured_at,
    phone_client_id = excluded.phone_client_id,
    names = excluded.names,
    consents = excluded.consents,
    withdrawn = excluded.withdrawn
