-- The columns of an export of leads, from the same table, in the same order. Times are written as PostgreSQL writes
-- them, in the campaign's zone by the session's setting; of a withdrawal, of which there is none here, nothing is worked out.
COPY (
    SELECT l.campaign_id, l.captured_at, l.first_name, l.last_name, l.email, l.phone,
           g.terms, g.marketing_email, g.marketing_phone,
           l.operator, array_to_string(l.flags, ',') AS flags, l.device_id, l.device_seq, l.recorded_at, l.position,
           l.client_id, l.version, l.version_recorded_at, l.campaign_version, l.consents,
           coalesce(l.withdrawn, '[]') AS withdrawn
    FROM leads l
    CROSS JOIN LATERAL (
        SELECT min("grantedAt") FILTER (WHERE id = 'terms') AS terms,
               min("grantedAt") FILTER (WHERE id = 'marketing-email') AS marketing_email,
               min("grantedAt") FILTER (WHERE id = 'marketing-phone') AS marketing_phone
        FROM json_to_recordset(l.consents) AS c(id text, "grantedAt" timestamptz)
    ) g
    WHERE NOT l.is_voided
    ORDER BY l.campaign_id, l.position
) TO STDOUT (FORMAT csv, DELIMITER ';', HEADER)
