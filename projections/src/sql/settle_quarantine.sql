-- LATERAL: two loops over the indexes, however full the quarantine was when the plan was made.
DELETE FROM quarantine
WHERE digest = ANY (ARRAY(
    SELECT q.digest
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS r(digest, client_id, version)
    CROSS JOIN LATERAL (
        (SELECT digest FROM quarantine WHERE quarantine.digest = r.digest LIMIT 1)
        UNION ALL
        (SELECT digest FROM quarantine
         WHERE quarantine.client_id = r.client_id AND quarantine.version = r.version
         OFFSET 0)
    ) q
))
