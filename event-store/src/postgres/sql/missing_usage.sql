-- The statements that let the current user enter the schemas that its session looks in; null when there is none.
SELECT string_agg(format('GRANT USAGE ON SCHEMA %I TO %I', nspname, current_user), '; ')
FROM pg_namespace
WHERE nspname IN (SELECT trim(BOTH ' "' FROM name) FROM string_to_table(current_setting('search_path'), ',') AS name)
  AND NOT has_schema_privilege(oid, 'USAGE')
