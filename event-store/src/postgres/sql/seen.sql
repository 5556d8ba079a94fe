SELECT current_user::text AS "user",
       current_schema()::text AS schema,
       (SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')) AS owner,
       coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')), false)
           AS acts_as_owner
