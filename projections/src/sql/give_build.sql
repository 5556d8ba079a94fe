-- Statements that give the schema of a copy ($2) to the owner of the original ($1).
SELECT format('ALTER SCHEMA %s OWNER TO %s', build.oid::regnamespace, quote_ident(pg_get_userbyid(original.relowner)))
FROM pg_class original
JOIN pg_class copy ON copy.oid = $2::regclass
JOIN pg_namespace build ON build.oid = copy.relnamespace AND build.nspowner <> original.relowner
WHERE original.oid = $1::regclass
