DELETE FROM leads
WHERE client_id = ANY ($1)
RETURNING client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
          captured_at, captured_offset_minutes, recorded_at,
          first_name, last_name, email, phone, operator, consents::text AS consents, flags,
          version_recorded_at, clock_offset_ms, is_voided, withdrawn::text AS withdrawn
