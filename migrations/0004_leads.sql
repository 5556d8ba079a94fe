-- The projection `leads`: one row per lead.
-- Rebuilt: TRUNCATE leads; UPDATE projection_cursors SET position = 0 WHERE name = 'leads';
CREATE TABLE leads (
    client_id uuid PRIMARY KEY,
    -- Where the capture stands in the log. It never changes, so that an export can page by it.
    position bigint NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    campaign_version bigint NOT NULL,
    version bigint NOT NULL,
    device_id text NOT NULL,
    device_seq bigint NOT NULL,
    -- By the device's clock, with the offset from UTC that the device had.
    captured_at timestamptz NOT NULL,
    captured_offset_minutes smallint NOT NULL,
    -- By the store's clock.
    recorded_at timestamptz NOT NULL,
    first_name text,
    last_name text,
    -- As given, without the white space around it.
    email text,
    -- E.164.
    phone text,
    operator text,
    -- [{"id", "textVersion", "language", "grantedAt"}]
    consents json NOT NULL,
    -- What was unusual when it was recorded, for example clock-ahead.
    flags text[] NOT NULL
);

CREATE UNIQUE INDEX leads_campaign ON leads (campaign_id, position);
