-- Statements that let everybody do with a copy ($2) what they may do with the original ($1).
SELECT format('GRANT %s ON %s TO %s%s',
              acl.privilege_type,
              $2::regclass,
              CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
              CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class original
CROSS JOIN LATERAL aclexplode(original.relacl) acl
WHERE original.oid = $1::regclass AND acl.grantee <> original.relowner
