DELETE FROM contacts
USING unnest($1::text[], $2::text[]) AS k(campaign_id, contact_key)
WHERE contacts.campaign_id = k.campaign_id AND contacts.contact_key = k.contact_key
