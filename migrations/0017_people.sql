-- Every request of a person looks what became of that person. Partial, so that leads pay nothing for it.
CREATE INDEX events_people ON events (position) WHERE aggregate_type = 'person';

-- What a provider of identities (OpenID Connect) says of itself: where its endpoints are, and its public keys. A copy, so
-- that people go on being recognised while the provider does not answer, by every process and after a restart. Not part of the
-- log: it is fetched again.
CREATE TABLE provider_documents (
    issuer text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('configuration', 'keys')),
    document jsonb NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, kind)
);
