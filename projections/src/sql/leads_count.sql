SELECT count(*) FROM leads
WHERE NOT is_voided
  AND ($1::text IS NULL OR campaign_id = $1)
  AND ($2::text IS NULL OR device_id = $2)
  AND ($3::timestamptz IS NULL OR captured_at >= $3)
  AND ($4::timestamptz IS NULL OR captured_at < $4)
  AND ($5::text IS NULL OR strpos(consents::text, $5) > 0)
