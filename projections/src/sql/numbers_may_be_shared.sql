-- Whether there are more entries in the log, accepted or refused, than numbers of devices in the rows. One statement, so that
-- both are of one moment: rows are never ahead of the log. A refusal counts when the rows may hold its number, and until it is
-- released as a lead, which then counts for it. Its payload is searched as text, because it may hold what PostgreSQL cannot
-- take out of JSON (an escaped U+0000); quotes inside of its texts have a backslash before them.
SELECT (
    SELECT count(*) FROM events WHERE aggregate_type = 'lead'
) + (
    SELECT count(*) FROM events AS refusal
    WHERE refusal.aggregate_type = 'submission' AND refusal.sequence = 1
      AND refusal.payload::text ~ '"deviceId":"[A-Za-z0-9._-]{1,64}"' AND refusal.payload::text ~ '"deviceSeq":[0-9]{1,19}\M'
      AND NOT EXISTS (
          SELECT FROM events AS release
          WHERE release.aggregate_type = 'submission' AND release.aggregate_id = refusal.aggregate_id
            AND release.sequence = 2 AND release.payload::text ~ '"outcome":"recorded"'
      )
) > (
    SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM device_sequences, unnest(here) AS run
)
