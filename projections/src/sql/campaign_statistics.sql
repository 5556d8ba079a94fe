-- How many leads of a campaign ($1) there are: all, by the quarter of an hour in which they were captured, by device, by the
-- person who held it, and by consent that stands. One statement, so that all of it is of one moment.
WITH lead AS MATERIALIZED (
    SELECT captured_at, device_id, operator, consents, is_voided FROM leads WHERE campaign_id = $1
), standing AS (
    SELECT * FROM lead WHERE NOT is_voided
)
SELECT 'lead' AS what, NULL::text AS name, NULL::timestamptz AS quarter, count(*) AS leads FROM standing
UNION ALL
SELECT 'taken-back', NULL, NULL, count(*) FROM lead WHERE is_voided
UNION ALL
SELECT 'contact', NULL, NULL, count(*) FROM contacts WHERE campaign_id = $1
UNION ALL
SELECT 'quarter', NULL, date_bin('15 minutes', captured_at, timestamptz 'epoch'), count(*) FROM standing GROUP BY 3
UNION ALL
SELECT 'device', device_id, NULL, count(*) FROM standing GROUP BY 2
UNION ALL
SELECT 'operator', operator, NULL, count(*) FROM standing GROUP BY 2
UNION ALL
SELECT 'consent', given ->> 'id', NULL, count(*) FROM standing, json_array_elements(consents) AS given GROUP BY 2
