-- The projection `devices`: which sequence numbers of each device are here.
-- Rebuilt: TRUNCATE device_sequences; UPDATE projection_cursors SET position = 0 WHERE name = 'devices';
CREATE TABLE device_sequences (
    device_id text COLLATE "C" PRIMARY KEY,
    -- Numbers of what is here, accepted or refused.
    here int8multirange NOT NULL,
    -- The highest number that the device is known to have saved; 0 when none was ever named.
    saved_through bigint NOT NULL,
    -- When it was last heard, by the store's clock, and the newest event that comes from it.
    heard_at timestamptz NOT NULL,
    heard_position bigint NOT NULL
);
