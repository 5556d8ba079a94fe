-- The statement that lets the current user read the tables of the store, as far as it may not: those in the schema of the
-- log that belong to the log's owner, but for the keys, which no reader needs. Null when it may.
SELECT format('GRANT SELECT ON %s TO %I', string_agg(quote_ident(one.relname), ', ' ORDER BY one.relname), current_user)
FROM pg_class log
JOIN pg_class one USING (relnamespace, relowner)
WHERE log.oid = to_regclass('log_head')
  AND one.relkind IN ('r', 'p')
  AND one.relname <> 'signing_keys'
  AND NOT has_table_privilege(one.oid, 'SELECT')
HAVING count(*) > 0
