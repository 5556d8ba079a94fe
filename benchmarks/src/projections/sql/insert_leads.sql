-- Each lead as its newest version says it, in the place of its first. It walks the primary key from its end, in which
-- the newest version comes first, so nothing is sorted, and reads each payload once.
--
-- What it leaves out of the real fold, because this log has none of it: follow-ups of the office, leads that were
-- taken back, other kinds of events, older forms of payloads. What it takes on trust: that texts have no white space
-- around them, that numbers are in E.164, and that payloads are what their streams say.
INSERT INTO pure_sql.leads (client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
                            captured_at, captured_offset_minutes, recorded_at,
                            first_name, last_name, email, phone, operator, consents, flags,
                            contact_key, version_recorded_at, clock_offset_ms, is_voided, withdrawn)
SELECT DISTINCT ON (e.aggregate_type, e.aggregate_id)
       p."clientId", coalesce(first.position, e.position), p."campaignId", p."campaignVersion", p.version,
       p."deviceId", p."deviceSeq", p."capturedAt"::timestamptz,
       CASE WHEN p."capturedAt" LIKE '%Z' THEN 0 ELSE extract(epoch FROM right(p."capturedAt", 6)::interval) / 60 END,
       coalesce(first.recorded_at, e.recorded_at),
       c."firstName", c."lastName", c.email, c.phone, p.operator, p.consents,
       string_to_array(coalesce(e.metadata ->> 'flags', ''), ','),
       coalesce(lower(c.email), p."clientId"::text), e.recorded_at, p."clockOffsetMs", false, NULL
FROM events e
CROSS JOIN LATERAL json_to_record(e.payload)
     AS p("clientId" uuid, version bigint, "deviceId" text, "deviceSeq" bigint, "campaignId" text,
          "campaignVersion" bigint, "capturedAt" text, "clockOffsetMs" bigint, operator text, contact json, consents json)
CROSS JOIN LATERAL json_to_record(p.contact) AS c("firstName" text, "lastName" text, email text, phone text)
LEFT JOIN LATERAL (
    SELECT f.position, f.recorded_at FROM events f
    WHERE e.sequence > 1 AND f.aggregate_type = 'lead' AND f.aggregate_id = e.aggregate_id
    ORDER BY f.sequence
    LIMIT 1
) first ON true
WHERE e.aggregate_type = 'lead'
ORDER BY e.aggregate_type DESC, e.aggregate_id DESC, e.sequence DESC
