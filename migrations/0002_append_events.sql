-- Appends many events of many aggregates at once: one round trip, one commit, one short lock on the head.
--
-- Takes one array per column, all of one length; no two rows may have the same (type, id, sequence). Answers
-- one row per event, in order: where it stands in the log, whether it is new, the digest of what stands there
-- if it is not, and who holds its e-mail address if that is another lead.
--
-- `optimistic` inserts without looking first. That is right unless a batch is part new, part known: then
-- positions would have gaps, nothing is kept, SQLSTATE LL001 is raised, and the caller calls again with
-- optimistic := false, which looks each event up before.
--
-- Look-ups are LATERAL … LIMIT 1, so that every plan is a loop over the index: an anti-join is planned once,
-- as a scan of a table that then grows.
CREATE FUNCTION append_events(
    new_append_id bigint,
    optimistic boolean,
    aggregate_types text[],
    aggregate_ids text[],
    sequences bigint[],
    event_types text[],
    event_versions text[],
    payloads text[],
    metadatas text[],
    campaign_ids text[],
    email_keys text[]
) RETURNS TABLE (
    stored_position bigint,
    stored_append_id bigint,
    stored_digest text,
    is_new boolean,
    holder_client_id text,
    holder_position bigint
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    offered constant integer := cardinality(aggregate_ids);
    old_head bigint;
    fresh bigint[];
    inserted bigint := 0;
    claimed bigint := 0;
BEGIN
    -- Whoever holds this row is the only one who appends; what others committed before is visible below.
    UPDATE log_head SET position = position + offered RETURNING position - offered INTO STRICT old_head;

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
                SELECT old_head + i, new_append_id, NULL::text, true, NULL::text, NULL::bigint
                FROM generate_series(1, offered) AS i;
                RETURN;
            END IF;
        END IF;
    ELSE
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
            ORDER BY u.ordinality
        );
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
           e.append_id = new_append_id,
           c.client_id, c.position
    FROM unnest(aggregate_types, aggregate_ids, sequences, campaign_ids, email_keys)
         WITH ORDINALITY AS u(aggregate_type, aggregate_id, sequence, campaign_id, email_key, ordinality)
    CROSS JOIN LATERAL (
        SELECT k.position, k.append_id, k.metadata FROM events k
        WHERE k.aggregate_type = u.aggregate_type
          AND k.aggregate_id = u.aggregate_id
          AND k.sequence = u.sequence
        LIMIT 1
    ) e
    LEFT JOIN LATERAL (
        SELECT h.client_id, h.position FROM email_claims h
        WHERE h.campaign_id = u.campaign_id AND h.email_key = u.email_key AND h.client_id <> u.aggregate_id
        LIMIT 1
    ) c ON true
    ORDER BY u.ordinality;
END
$$;
