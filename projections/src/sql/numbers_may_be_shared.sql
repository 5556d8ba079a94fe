-- Whether there are more entries in the log, accepted or refused, than numbers of devices in the rows. One statement, so that
-- both are of one moment: rows are never ahead of the log.
SELECT (
    SELECT count(*) FROM events
    WHERE aggregate_type = 'lead' OR (aggregate_type = 'submission' AND sequence = 1)
) > (
    SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM device_sequences, unnest(here) AS run
)
