-- Every request of a device looks, once a second at most, what became of enrolments. Partial, so that leads pay nothing
-- for it.
CREATE INDEX events_enrolments ON events (position) WHERE aggregate_type = 'enrolment';

-- Assertions by which devices got tokens, until they expire, so that none counts twice (RFC 7523, section 3). All processes
-- of a store share them. Not part of the log: after a restore the few that are lost would have expired already.
CREATE TABLE used_assertions (
    enrolment_id text NOT NULL,
    jti text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (enrolment_id, jti)
);

CREATE INDEX used_assertions_expire ON used_assertions (expires_at);
