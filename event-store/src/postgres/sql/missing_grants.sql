-- The statements that give the current user these rights ($2), each on its table ($1), as far as it lacks them; null when it
-- has them all.
SELECT string_agg(statement, '; ' ORDER BY first_place)
FROM (
    SELECT format('GRANT %s ON %I TO %I', string_agg(privilege, ', ' ORDER BY place), table_name, current_user) AS statement,
           min(place) AS first_place
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS needed (table_name, privilege, place)
    WHERE NOT has_table_privilege(to_regclass(quote_ident(table_name)), privilege)
    GROUP BY table_name
) AS missing
