-- The log: one table of events with one total order, and the claims that the verdict `duplicate_email` reads.
-- No name is qualified: a workspace is a schema, found by search_path.

-- One row. Whoever appends locks it, so positions are gapless and their order is commit order.
CREATE TABLE log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    store_id uuid NOT NULL,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0)
);

INSERT INTO log_head (store_id) VALUES (gen_random_uuid());

-- The next position, for an append of single rows (postgres-es). The row lock is held until commit.
-- Never use this default together with ON CONFLICT DO NOTHING: it would leave a gap.
CREATE FUNCTION next_position() RETURNS bigint
LANGUAGE sql VOLATILE
AS 'UPDATE log_head SET position = position + 1 RETURNING position';

-- 64 bits, of which 60 are random (a version 4 UUID fixes four of its first 64).
CREATE FUNCTION random_append_id() RETURNS bigint
LANGUAGE sql VOLATILE
AS $$SELECT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint$$;

-- The first seven columns and the primary key are those that postgres-es reads and writes.
-- `payload` and `metadata` are json, not jsonb: the bytes of an entry are kept as received, and it costs less.
CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    position bigint NOT NULL DEFAULT next_position(),
    append_id bigint NOT NULL DEFAULT random_append_id(),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);

CREATE UNIQUE INDEX events_position ON events (position);

-- Who holds an e-mail address in a campaign: the first lead that came. A courtesy for the verdict, never an
-- event; it can be rebuilt from the log.
CREATE TABLE email_claims (
    campaign_id text NOT NULL,
    email_key text NOT NULL,
    client_id text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (campaign_id, email_key)
);
