-- The keys by which this store signs access tokens. They are beside the log and not made from it, on purpose: an event is
-- read by everybody who reads the log, is relayed, and is kept for ever, and a private key must do none of these. Nothing
-- depends on old ones: a store that has lost this table makes a key when it next needs one, and whoever held a token gets
-- another.
CREATE TABLE signing_keys (
    -- Names the key in the header of its tokens.
    kid text PRIMARY KEY,
    -- The private key, ES256 (P-256), as PKCS #8.
    pkcs8 bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- From then on nothing is signed by it; its tokens count until they expire.
    replaced_at timestamptz,
    -- From then on no token of it counts.
    retired_at timestamptz
);

-- One key signs: of several processes that need the first one at once, one makes it.
CREATE UNIQUE INDEX signing_keys_one_signs ON signing_keys ((true)) WHERE replaced_at IS NULL AND retired_at IS NULL;

-- Only who may add to the log sees a key. The grants of a user that only reads cover all tables, also later ones, so
-- grants alone would hand the key out. The table is named by its oid here, which no temporary table can stand in for.
ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY signing_keys_of_who_serves ON signing_keys
    USING (has_any_column_privilege('events'::regclass, 'INSERT'))
    WITH CHECK (has_any_column_privilege('events'::regclass, 'INSERT'));

-- Every request for leads in bulk looks for what became of API clients, however many leads the log holds. Partial, so
-- that leads pay nothing for it.
CREATE INDEX events_api_clients ON events (position) WHERE aggregate_type = 'api_client';
