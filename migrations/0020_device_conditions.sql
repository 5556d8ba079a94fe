-- What devices have said of themselves, each the last time that it sent something: for whoever looks after an event, who wants to
-- know which iPads still hold leads. Beside the log, because it is worth something for minutes only, and written some seconds
-- late. A store that has lost this table knows it again a minute after its devices have come back.
CREATE TABLE device_conditions (
    device_id text COLLATE "C" PRIMARY KEY,
    -- By the store's clock.
    heard_at timestamptz NOT NULL,
    -- Leads that it still held for this store, and that were not in what it sent. Null when it did not say.
    left_count bigint,
    -- When the first of them was saved, by the device's clock.
    oldest_left_at timestamptz,
    -- Whether its browser has promised not to evict the storage; null when it does not say.
    is_storage_persisted boolean,
    app_version text
);
