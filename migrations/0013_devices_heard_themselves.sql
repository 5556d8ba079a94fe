-- The projection `devices`, version 2: what a backup, a hub or another device brings of a device is not its own voice.
-- It is folded again from the log, because it has a new version.
-- `heard_at` is when it was last heard itself: null when others alone have brought what is here. `heard_position` is still
-- the newest event that comes from it, whoever brought it.
ALTER TABLE device_sequences ALTER COLUMN heard_at DROP NOT NULL;
