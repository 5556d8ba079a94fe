-- Statements that give the indexes of a copy ($2) the names that they have at the original ($1): PostgreSQL makes up
-- others, and a later migration may name one.
SELECT format('ALTER INDEX %s RENAME TO %I', copy.indexrelid::regclass, original_name.relname)
FROM pg_index original
JOIN pg_class original_name ON original_name.oid = original.indexrelid
JOIN pg_index copy
    ON copy.indrelid = $2::regclass
    AND copy.indisunique = original.indisunique
    AND copy.indisprimary = original.indisprimary
    AND substring(pg_get_indexdef(copy.indexrelid) FROM ' USING .*')
        = substring(pg_get_indexdef(original.indexrelid) FROM ' USING .*')
JOIN pg_class copy_name ON copy_name.oid = copy.indexrelid
WHERE original.indrelid = $1::regclass AND copy_name.relname <> original_name.relname
