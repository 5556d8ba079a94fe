SELECT campaign_id FROM contacts WHERE campaign_id > $1 ORDER BY campaign_id LIMIT 1
