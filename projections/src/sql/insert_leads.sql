-- Leads of which nothing is remembered yet; the others are left alone, and not answered.
INSERT INTO leads (client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
                   captured_at, captured_offset_minutes, recorded_at,
                   first_name, last_name, email, phone, operator, consents, flags,
                   contact_key, version_recorded_at, clock_offset_ms, is_voided, withdrawn)
SELECT u.client_id, u.position, u.campaign_id, u.campaign_version, u.version, u.device_id, u.device_seq,
       u.captured_at, u.captured_offset_minutes, u.recorded_at,
       u.first_name, u.last_name, u.email, u.phone, u.operator, u.consents::json, string_to_array(u.flags, ','),
       u.contact_key, u.version_recorded_at, u.clock_offset_ms, u.is_voided, u.withdrawn::json
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[],
            $8::timestamptz[], $9::smallint[], $10::timestamptz[],
            $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
            $18::text[], $19::timestamptz[], $20::bigint[], $21::boolean[], $22::text[])
     AS u(client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
          captured_at, captured_offset_minutes, recorded_at,
          first_name, last_name, email, phone, operator, consents, flags,
          contact_key, version_recorded_at, clock_offset_ms, is_voided, withdrawn)
WHERE NOT EXISTS (SELECT FROM lead_follow_ups f WHERE f.client_id = u.client_id)
ON CONFLICT (client_id) DO NOTHING
RETURNING client_id
