-- Statements that let everybody do with a copy ($2) what they may do with the original ($1), or with columns of it.
SELECT format('GRANT %s%s ON %s TO %s%s',
              acl.privilege_type,
              ' (' || quote_ident(granted.column_name) || ')',
              $2::regclass,
              CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
              CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class original
CROSS JOIN LATERAL (
    SELECT NULL AS column_name, original.relacl AS grants
    UNION ALL
    SELECT attname, attacl
    FROM pg_attribute
    WHERE attrelid = original.oid AND attnum > 0 AND NOT attisdropped
) granted
CROSS JOIN LATERAL aclexplode(granted.grants) acl
WHERE original.oid = $1::regclass AND acl.grantee <> original.relowner
