SELECT position, captured_at, first_name, last_name, email, phone, operator,
       array_to_string(flags, ',') AS flags, device_id, device_seq, recorded_at, client_id, version,
       version_recorded_at, campaign_version, consents::text AS consents, withdrawn::text AS withdrawn
FROM leads
WHERE campaign_id = $1 AND position > $2 AND NOT is_voided
ORDER BY position
LIMIT $3
