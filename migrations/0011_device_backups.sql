-- Backups of devices: the last snapshots of each installation, beside the log and not made from it. They are a
-- safety net: leads re-enter the log through the ordinary intake. What is in the log needs none of them, so a store
-- that has lost this table is whole again when each device has sent its next backup.
CREATE TABLE device_backups (
    -- One installation of the app. Wiped storage starts another, which cannot push these out.
    device_id text COLLATE "C" NOT NULL,
    -- From 1, dense; the last 8 stay.
    version bigint NOT NULL CHECK (version > 0),
    -- By the store's clock.
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- By the device's clock, or the store's where that makes no sense.
    taken_at timestamptz NOT NULL,
    saved_through bigint,
    -- SHA-256 of the records: the same again is not stored again.
    digest text NOT NULL,
    -- What is there and can be read: leads, and versions of leads.
    leads bigint NOT NULL,
    entries bigint NOT NULL,
    -- Of the document, unpacked.
    bytes bigint NOT NULL,
    operators text[] NOT NULL,
    -- Every lead of which personal data may be in the content, so that an erasure finds it.
    client_ids uuid[] NOT NULL,
    -- The document, gzip.
    content bytea NOT NULL,
    PRIMARY KEY (device_id, version)
);

-- It is compressed already.
ALTER TABLE device_backups ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE INDEX device_backups_newest ON device_backups (received_at);
CREATE INDEX device_backups_leads ON device_backups USING gin (client_ids);
