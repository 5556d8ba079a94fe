-- Whether there are more entries in the log, accepted or refused, than numbers of devices in the rows. One statement, so that
-- both are of one moment: rows are never ahead of the log. A refusal counts when it names a number, and until it is
-- released as a lead: the number is that lead's then.
SELECT (
    SELECT count(*) FROM events WHERE aggregate_type = 'lead'
) + (
    SELECT count(*) FROM events AS refusal
    WHERE refusal.aggregate_type = 'submission' AND refusal.sequence = 1
      AND refusal.payload ->> 'deviceId' IS NOT NULL AND refusal.payload ->> 'deviceSeq' IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM events AS release
          WHERE release.aggregate_type = 'submission' AND release.aggregate_id = refusal.aggregate_id
            AND release.sequence = 2 AND release.payload ->> 'outcome' = 'recorded'
      )
) > (
    SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM device_sequences, unnest(here) AS run
)
