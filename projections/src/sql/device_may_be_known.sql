-- Whether a device ($1) was heard, or may have been: where the projection of devices ($2, in version $3) has not reached a
-- position ($4), nobody knows.
SELECT EXISTS (SELECT FROM device_sequences WHERE device_id = $1)
    OR EXISTS (SELECT FROM leads WHERE device_id = $1)
    OR NOT EXISTS (SELECT FROM projection_cursors WHERE name = $2 AND version = $3 AND position >= $4)
