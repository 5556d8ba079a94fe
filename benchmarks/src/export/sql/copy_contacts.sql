-- The columns of an export of contacts, from the same table, in the same order; see copy_leads.sql.
COPY (
    SELECT t.campaign_id, t.email, t.first_name, t.last_name, t.phone,
           g.terms, g.marketing_email, g.marketing_phone,
           (SELECT string_agg(concat_ws(' ', n ->> 'firstName', n ->> 'lastName'), ', ')
            FROM json_array_elements(t.names) WITH ORDINALITY AS n(n, at) WHERE at > 1) AS other_names,
           t.lead_count, t.first_captured_at, t.last_captured_at, t.first_client_id, t.consents, t.withdrawn
    FROM contacts t
    CROSS JOIN LATERAL (
        SELECT min("grantedAt") FILTER (WHERE id = 'terms') AS terms,
               min("grantedAt") FILTER (WHERE id = 'marketing-email') AS marketing_email,
               min("grantedAt") FILTER (WHERE id = 'marketing-phone') AS marketing_phone
        FROM json_to_recordset(t.consents) AS c(id text, "grantedAt" timestamptz)
    ) g
    ORDER BY t.campaign_id, t.contact_key
) TO STDOUT (FORMAT csv, DELIMITER ';', HEADER)
