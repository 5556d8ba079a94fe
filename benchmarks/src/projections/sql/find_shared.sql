-- Leads whose contact has others, too.
CREATE TABLE pure_sql.shared AS
SELECT l.*
FROM pure_sql.leads l
JOIN (
    SELECT campaign_id, contact_key FROM pure_sql.leads GROUP BY campaign_id, contact_key HAVING count(*) > 1
) several USING (campaign_id, contact_key)
