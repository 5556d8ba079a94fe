-- How many leads stand, of all campaigns, by device and by the hour (UTC) in which they were captured. $1 is now, $2 the first
-- hour that is told apart; what was captured before, or by a clock that is far ahead, has none. A clock that is a little ahead
-- means now. One scan, because this is asked again and again.
SELECT device_id,
       CASE WHEN captured_at >= $2 AND captured_at <= $1 + interval '5 minutes'
            THEN date_bin('1 hour', LEAST(captured_at, $1), timestamptz 'epoch') END AS hour,
       count(*) AS leads,
       count(*) FILTER (WHERE captured_at > $1 - interval '1 hour' AND captured_at <= $1 + interval '5 minutes') AS last_hour
FROM leads WHERE NOT is_voided GROUP BY 1, 2
