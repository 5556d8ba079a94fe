-- Whether this store is a hub, which relays to a cloud. For good: what devices were told of its tier must stay so.
ALTER TABLE log_head ADD COLUMN is_hub boolean NOT NULL DEFAULT false;

-- Of a hub: where its relay stands. In the database of the log that it speaks about, so that no copy can have the one without
-- the other. It cannot be rebuilt from the log; without it everything is relayed again, which is harmless.
CREATE TABLE relay_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    state jsonb NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
