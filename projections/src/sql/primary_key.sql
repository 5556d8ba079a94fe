SELECT quote_ident(attribute.attname)
FROM pg_index
JOIN pg_attribute attribute
    ON attribute.attrelid = pg_index.indrelid AND attribute.attnum = ANY (pg_index.indkey)
WHERE pg_index.indrelid = $1::regclass AND pg_index.indisprimary
ORDER BY array_position(pg_index.indkey::int2[], attribute.attnum)
