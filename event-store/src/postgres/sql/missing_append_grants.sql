-- The statements that let the current user append to the log and erase from it, as far as it may not; null when it may. A right
-- on single columns is enough where PostgreSQL knows one.
SELECT string_agg(statement, '; ' ORDER BY first_place)
FROM (
    SELECT format('GRANT %s ON %I TO %I', string_agg(privilege, ', ' ORDER BY place), table_name, current_user) AS statement,
           min(place) AS first_place
    FROM (VALUES
        (1, 'events', 'SELECT'), (2, 'events', 'INSERT'), (3, 'events', 'UPDATE'),
        (4, 'log_head', 'SELECT'), (5, 'log_head', 'UPDATE'),
        (6, 'email_claims', 'SELECT'), (7, 'email_claims', 'INSERT'), (8, 'email_claims', 'DELETE'),
        (9, 'refused_submissions', 'SELECT'), (10, 'refused_submissions', 'INSERT'),
        (11, 'erased_leads', 'SELECT'), (12, 'erased_leads', 'INSERT')
    ) AS needed (place, table_name, privilege)
    WHERE NOT CASE privilege
        WHEN 'DELETE' THEN has_table_privilege(to_regclass(table_name), privilege)
        ELSE has_any_column_privilege(to_regclass(table_name), privilege)
    END
    GROUP BY table_name
) AS missing
