-- Contacts of several leads: the earliest capture, different names, and of each consent the earliest grant.
--
-- Taken on trust: that no contact has more than fifty names, and that names differ only as lower() tells it.
WITH named AS (
    SELECT campaign_id, contact_key,
           json_agg(json_strip_nulls(json_build_object(
               'firstName', first_name, 'lastName', last_name,
               'capturedAt', pure_sql.rfc3339(captured_at, captured_offset_minutes),
               'clientId', client_id)) ORDER BY captured_at, client_id) AS names
    FROM (
        SELECT DISTINCT ON (campaign_id, contact_key, spelling) *
        FROM (
            SELECT *, lower(concat_ws(' ', first_name, last_name)) AS spelling
            FROM pure_sql.shared
            WHERE first_name IS NOT NULL OR last_name IS NOT NULL
        ) spelt
        ORDER BY campaign_id, contact_key, spelling, captured_at, client_id
    ) different
    GROUP BY campaign_id, contact_key
), granted AS (
    SELECT campaign_id, contact_key,
           json_agg(json_build_object('id', id, 'textVersion', "textVersion", 'language', language,
                                      'grantedAt', "grantedAt", 'clientId', client_id) ORDER BY id) AS consents
    FROM (
        SELECT DISTINCT ON (l.campaign_id, l.contact_key, g.id) l.campaign_id, l.contact_key, l.client_id, g.*
        FROM pure_sql.shared l
        CROSS JOIN LATERAL json_to_recordset(l.consents)
             AS g(id text COLLATE "C", "textVersion" bigint, language text COLLATE "C", "grantedAt" text)
        ORDER BY l.campaign_id, l.contact_key, g.id, g."grantedAt"::timestamptz, l.client_id, g."textVersion", g.language
    ) earliest
    GROUP BY campaign_id, contact_key
), captured AS (
    SELECT campaign_id, contact_key, max(captured_at) AS last_captured_at, count(*) AS lead_count,
           (array_agg(ROW(captured_at, client_id, email)::pure_sql.capture ORDER BY captured_at, client_id))[1] AS first,
           (array_agg(ROW(captured_at, client_id, phone)::pure_sql.capture ORDER BY captured_at, client_id)
                FILTER (WHERE phone IS NOT NULL))[1] AS phone
    FROM pure_sql.shared
    GROUP BY campaign_id, contact_key
)
INSERT INTO pure_sql.contacts (campaign_id, contact_key, first_captured_at, first_client_id, last_captured_at, lead_count,
                               email, phone, phone_captured_at, phone_client_id, names, consents, withdrawn)
SELECT campaign_id, contact_key, (first).at, (first).client_id, last_captured_at, lead_count,
       (first).value, (phone).value, (phone).at, (phone).client_id,
       coalesce(names, '[]'), coalesce(consents, '[]'), '[]'
FROM captured
LEFT JOIN named USING (campaign_id, contact_key)
LEFT JOIN granted USING (campaign_id, contact_key)
