-- Later versions of leads wait for the version before, and erased people stay erased. The ordinary append, of
-- first versions while nobody was erased, does what it did before.
--
-- Both tables are courtesies that can be rebuilt from the log.

-- Refused submissions by the lead that they name: a refused version counts as judged, and an erasure must find
-- what was kept of the person.
-- Rebuilt: from the events SubmissionRefused, as below.
CREATE TABLE refused_submissions (
    client_id text NOT NULL,
    submission_id text NOT NULL,
    version bigint,
    PRIMARY KEY (client_id, submission_id)
);

-- A submission's payload begins with what it says about itself; the entry itself follows as a JSON string, in
-- which every quote has a backslash before it.
INSERT INTO refused_submissions (client_id, submission_id, version)
SELECT lower(substring(payload::text FROM '"clientId":"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"')),
       aggregate_id,
       substring(payload::text FROM '"version":([0-9]+)')::bigint
FROM events
WHERE event_type = 'SubmissionRefused'
  AND payload::text ~ '"clientId":"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"';

-- Leads whose person was erased, with the position of the erasure. Nearly always empty.
-- Rebuilt: from the events LeadErased.
CREATE TABLE erased_leads (
    client_id text PRIMARY KEY,
    position bigint NOT NULL
);

-- How many rows that table has. Whoever appends reads the head anyway, so to know that nobody was erased costs
-- nothing; and the row as it is once it is locked, not as it was when the statement began.
ALTER TABLE log_head ADD COLUMN erasures bigint NOT NULL DEFAULT 0;

-- Answers to devices carry pages of these two kinds. Partial, so that leads pay nothing for them.
CREATE INDEX events_follow_ups ON events (position) WHERE aggregate_type = 'follow_up';
CREATE INDEX events_cloud_verdicts ON events (position) WHERE aggregate_type = 'cloud_verdict';

-- Takes the place of append_events, which stays for as long as a program of before may run beside. Erase nobody while
-- one does: it knows nothing of erasures, and would record again what a device sends again.
--
-- Appends many events of many aggregates at once: one round trip, one commit, one short lock on the head.
--
-- Takes one array per column, all of one length; no two rows may have the same (type, id, sequence). Unless the
-- batch is `ordinary`, three groups of shorter arrays, mostly empty, say what is special about a few of the events;
-- `…_at` is the place of the event in the long arrays, from 1:
--   needing_at, needed_versions         later versions of leads, and the version that must be known before
--   refused_at, refused_clients, …      refused submissions, and the lead and version that they name
--   released_at, released_campaigns, …  later versions, and the claims on e-mail addresses that they give up
--
-- Answers one row per event, in order. `standing` is 0 for an event that stands in the log, 1 for one whose
-- version before is neither recorded nor refused, 2 for one of an erased lead; nothing is appended of the last
-- two. Of the first: where it stands, whether it is new, the digest of what stands there if it is not, and
-- who holds its e-mail address if that is another lead.
--
-- `optimistic` inserts without looking first. That is right unless a batch is part new, part known: then
-- positions would have gaps, nothing is kept, SQLSTATE LL001 is raised, and the caller calls again with
-- optimistic := false, which looks each event up before.
--
-- Look-ups are LATERAL … LIMIT 1, so that every plan is a loop over the index: an anti-join is planned once,
-- as a scan of a table that then grows.
CREATE FUNCTION append_events_2(
    new_append_id bigint,
    optimistic boolean,
    ordinary boolean,
    aggregate_types text[],
    aggregate_ids text[],
    sequences bigint[],
    event_types text[],
    event_versions text[],
    payloads text[],
    metadatas text[],
    campaign_ids text[],
    email_keys text[],
    needing_at bigint[],
    needed_versions bigint[],
    refused_at bigint[],
    refused_clients text[],
    refused_versions bigint[],
    released_at bigint[],
    released_campaigns text[],
    released_emails text[],
    released_clients text[]
) RETURNS TABLE (
    stored_position bigint,
    stored_append_id bigint,
    stored_digest text,
    is_new boolean,
    standing smallint,
    holder_client_id text,
    holder_position bigint
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    offered constant integer := cardinality(aggregate_ids);
    old_head bigint;
    erasures_known bigint;
    erased bigint[];
    waiting bigint[];
    fresh bigint[];
    inserted bigint := 0;
    claimed bigint := 0;
BEGIN
    -- Whoever holds this row is the only one who appends; what others committed before is visible below.
    UPDATE log_head SET position = position + offered
    RETURNING position - offered, erasures INTO STRICT old_head, erasures_known;

    IF erasures_known > 0 THEN
        erased := ARRAY(
            SELECT u.at
            FROM (
                SELECT t.ordinality AS at, t.aggregate_id AS client_id
                FROM unnest(aggregate_types, aggregate_ids) WITH ORDINALITY AS t(aggregate_type, aggregate_id, ordinality)
                WHERE t.aggregate_type = 'lead'
                UNION ALL
                SELECT r.at, r.client_id FROM unnest(refused_at, refused_clients) AS r(at, client_id)
            ) u
            CROSS JOIN LATERAL (SELECT FROM erased_leads e WHERE e.client_id = u.client_id LIMIT 1) e
        );
    END IF;
    IF NOT ordinary THEN
        waiting := ARRAY(
            SELECT n.at
            FROM unnest(needing_at, needed_versions) AS n(at, needed)
            LEFT JOIN LATERAL (
                SELECT true AS known FROM events e
                WHERE e.aggregate_type = 'lead'
                  AND e.aggregate_id = aggregate_ids[n.at]
                  AND e.sequence IN (n.needed, sequences[n.at])
                LIMIT 1
            ) e ON true
            LEFT JOIN LATERAL (
                SELECT true AS known FROM refused_submissions r
                WHERE r.client_id = aggregate_ids[n.at] AND r.version = n.needed
                LIMIT 1
            ) r ON true
            WHERE e.known IS NULL AND r.known IS NULL AND n.at <> ALL (coalesce(erased, '{}'))
        );
    END IF;
    IF erased <> '{}' OR waiting <> '{}' THEN
        optimistic := false;
    END IF;
    IF NOT optimistic THEN
        fresh := ARRAY(
            SELECT u.ordinality
            FROM unnest(aggregate_types, aggregate_ids, sequences)
                 WITH ORDINALITY AS u(aggregate_type, aggregate_id, sequence, ordinality)
            LEFT JOIN LATERAL (
                SELECT true AS known FROM events e
                WHERE e.aggregate_type = u.aggregate_type
                  AND e.aggregate_id = u.aggregate_id
                  AND e.sequence = u.sequence
                LIMIT 1
            ) e ON true
            WHERE e.known IS NULL
              AND u.ordinality <> ALL (coalesce(erased, '{}'))
              AND u.ordinality <> ALL (coalesce(waiting, '{}'))
            ORDER BY u.ordinality
        );
    END IF;
    IF NOT ordinary THEN
        INSERT INTO refused_submissions (client_id, submission_id, version)
        SELECT r.client_id, aggregate_ids[r.at], r.version
        FROM unnest(refused_at, refused_clients, refused_versions) AS r(at, client_id, version)
        WHERE r.at <> ALL (coalesce(erased, '{}'))
        ON CONFLICT (client_id, submission_id) DO NOTHING;
        -- Claims are given up before others are made.
        DELETE FROM email_claims c
        USING unnest(released_at, released_campaigns, released_emails, released_clients)
              AS r(at, campaign_id, email_key, client_id)
        WHERE c.campaign_id = r.campaign_id AND c.email_key = r.email_key AND c.client_id = r.client_id
          AND (optimistic OR r.at = ANY (fresh));
    END IF;

    IF optimistic THEN
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                            payload, metadata, position, append_id)
        SELECT u.aggregate_type, u.aggregate_id, u.sequence, u.event_type, u.event_version,
               u.payload::json, u.metadata::json, old_head + u.ordinality, new_append_id
        FROM unnest(aggregate_types, aggregate_ids, sequences, event_types, event_versions, payloads, metadatas)
             WITH ORDINALITY
             AS u(aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, ordinality)
        ON CONFLICT (aggregate_type, aggregate_id, sequence) DO NOTHING;
        GET DIAGNOSTICS inserted = ROW_COUNT;
        IF inserted <> 0 AND inserted <> offered THEN
            RAISE EXCEPTION 'part of the batch is known already' USING ERRCODE = 'LL001';
        END IF;
        IF inserted = offered THEN
            INSERT INTO email_claims (campaign_id, email_key, client_id, position)
            SELECT u.campaign_id, u.email_key, u.aggregate_id, old_head + u.ordinality
            FROM unnest(aggregate_ids, campaign_ids, email_keys)
                 WITH ORDINALITY AS u(aggregate_id, campaign_id, email_key, ordinality)
            WHERE u.email_key IS NOT NULL
            ON CONFLICT (campaign_id, email_key) DO NOTHING;
            GET DIAGNOSTICS claimed = ROW_COUNT;
            IF claimed = cardinality(array_remove(email_keys, NULL)) THEN
                RETURN QUERY
                SELECT old_head + i, new_append_id, NULL::text, true, 0::smallint, NULL::text, NULL::bigint
                FROM generate_series(1, offered) AS i;
                RETURN;
            END IF;
        END IF;
    ELSE
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                            payload, metadata, position, append_id)
        SELECT aggregate_types[f.at], aggregate_ids[f.at], sequences[f.at], event_types[f.at], event_versions[f.at],
               payloads[f.at]::json, metadatas[f.at]::json, old_head + f.ordinality, new_append_id
        FROM unnest(fresh) WITH ORDINALITY AS f(at, ordinality);
        GET DIAGNOSTICS inserted = ROW_COUNT;
        INSERT INTO email_claims (campaign_id, email_key, client_id, position)
        SELECT campaign_ids[f.at], email_keys[f.at], aggregate_ids[f.at], old_head + f.ordinality
        FROM unnest(fresh) WITH ORDINALITY AS f(at, ordinality)
        WHERE email_keys[f.at] IS NOT NULL
        ON CONFLICT (campaign_id, email_key) DO NOTHING;
    END IF;

    IF inserted <> offered THEN
        UPDATE log_head SET position = old_head + inserted;
    END IF;

    RETURN QUERY
    SELECT e.position, e.append_id,
           CASE WHEN e.append_id <> new_append_id THEN e.metadata ->> 'digest' END,
           coalesce(e.append_id = new_append_id, false),
           CASE WHEN u.ordinality = ANY (erased) THEN 2 WHEN u.ordinality = ANY (waiting) THEN 1 ELSE 0 END::smallint,
           c.client_id, c.position
    FROM unnest(aggregate_types, aggregate_ids, sequences, campaign_ids, email_keys)
         WITH ORDINALITY AS u(aggregate_type, aggregate_id, sequence, campaign_id, email_key, ordinality)
    LEFT JOIN LATERAL (
        SELECT k.position, k.append_id, k.metadata FROM events k
        WHERE k.aggregate_type = u.aggregate_type
          AND k.aggregate_id = u.aggregate_id
          AND k.sequence = u.sequence
        LIMIT 1
    ) e ON true
    LEFT JOIN LATERAL (
        SELECT h.client_id, h.position FROM email_claims h
        WHERE h.campaign_id = u.campaign_id AND h.email_key = u.email_key AND h.client_id <> u.aggregate_id
        LIMIT 1
    ) c ON true
    ORDER BY u.ordinality;
END
$$;
