-- The statements that let the current user write the tables of a projection ($1) and its cursor, as far as it may not; null
-- when it may.
SELECT string_agg(statement, '; ' ORDER BY statement)
FROM (
    SELECT format('GRANT %s ON %I TO %I', string_agg(privilege, ', ' ORDER BY place), table_name, current_user) AS statement
    FROM unnest($1::text[] || ARRAY['projection_cursors', 'parked_events']) AS table_name
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
        WITH ORDINALITY AS needed (privilege, place)
    WHERE NOT has_table_privilege(to_regclass(quote_ident(table_name)), privilege)
      AND (privilege <> 'TRUNCATE' OR table_name = ANY ($1))
    GROUP BY table_name
) AS missing
