INSERT INTO quarantine (digest, position, recorded_at, reason, client_id, version, device_id, device_seq, sent_by, errors,
                        raw)
SELECT u.digest, u.position, u.recorded_at, u.reason, u.client_id, u.version, u.device_id, u.device_seq, u.sent_by,
       u.errors::json, u.raw
FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::text[],
            $8::bigint[], $9::text[], $10::text[], $11::text[])
     AS u(digest, position, recorded_at, reason, client_id, version, device_id, device_seq, sent_by, errors, raw)
ON CONFLICT (digest) DO NOTHING
