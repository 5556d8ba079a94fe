-- Statements that take from everybody but its owner what they may do with a copy ($2) of a table ($1): default privileges of
-- whoever made it.
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE',
                       $2::regclass,
                       CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END)
FROM pg_class copy
CROSS JOIN LATERAL aclexplode(copy.relacl) acl
WHERE copy.oid = $2::regclass AND acl.grantee <> copy.relowner AND $1::regclass IS NOT NULL
