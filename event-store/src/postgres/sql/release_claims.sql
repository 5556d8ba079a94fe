DELETE FROM email_claims c
USING unnest($2::text[], $3::text[]) AS u(campaign_id, email_key)
WHERE c.campaign_id = u.campaign_id AND c.email_key = u.email_key AND c.client_id = $1
