-- Every request of a person looks what became of that person. Partial, so that leads pay nothing for it.
CREATE INDEX events_people ON events (position) WHERE aggregate_type = 'person';

-- The public keys of a provider of identities (OpenID Connect). A copy for every process and for the next start, so that
-- people are recognised while the provider does not name its keys. Not part of the log: it is fetched again.
CREATE TABLE provider_keys (
    issuer text PRIMARY KEY,
    keys jsonb NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
