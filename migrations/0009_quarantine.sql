-- The projection `quarantine`: refused submissions that nobody has dealt with.
-- Rebuilt: TRUNCATE quarantine; UPDATE projection_cursors SET position = 0 WHERE name = 'quarantine';
CREATE TABLE quarantine (
    -- SHA-256 of the entry as received, in hexadecimal.
    digest text PRIMARY KEY,
    -- Where the refusal stands in the log.
    position bigint NOT NULL UNIQUE,
    -- By the store's clock.
    recorded_at timestamptz NOT NULL,
    -- invalid, conflict or unsupported.
    reason text NOT NULL,
    -- What the entry says it is and where it comes from, as far as that could be read.
    client_id text,
    version bigint,
    device_id text,
    device_seq bigint,
    -- [{"field", "code", "detail"}]
    errors json NOT NULL,
    -- The entry as received; empty after an erasure.
    raw text NOT NULL
);

CREATE INDEX quarantine_client ON quarantine (client_id, version);
