-- Whether a lead, of this campaign ($1) or of any, gives a consent, or gave it and has withdrawn it since ($2: how it begins
-- in both columns).
SELECT EXISTS (
    SELECT FROM leads
    WHERE ($1::text IS NULL OR campaign_id = $1)
      AND (strpos(consents::text, $2) > 0 OR strpos(withdrawn::text, $2) > 0)
)
