SELECT count(*) FROM contacts
WHERE ($1::text IS NULL OR campaign_id = $1)
  AND ($2::timestamptz IS NULL OR first_captured_at >= $2)
  AND ($3::timestamptz IS NULL OR first_captured_at < $3)
  AND ($4::text IS NULL OR strpos(consents::text, $4) > 0)
