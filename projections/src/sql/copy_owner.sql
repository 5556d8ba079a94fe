-- Statements that give a copy ($2), with its sequences, to the owner of the original ($1). A new owner must be able to make
-- tables where the copy stands, unless a superuser gives it away.
SELECT statement
FROM pg_class original
JOIN pg_class copy ON copy.oid = $2::regclass AND copy.relowner <> original.relowner
CROSS JOIN LATERAL (
    SELECT quote_ident(pg_get_userbyid(original.relowner)) AS owner, copy.relnamespace::regnamespace AS build
) of_original
CROSS JOIN LATERAL (VALUES
    (1, format('GRANT USAGE, CREATE ON SCHEMA %s TO %s', build, owner)),
    (2, format('ALTER TABLE %s OWNER TO %s', copy.oid::regclass, owner))
) AS statements (place, statement)
WHERE original.oid = $1::regclass
ORDER BY place
