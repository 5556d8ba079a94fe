-- The statements that make the indexes of the projection's tables, keys included, on the copies.
SELECT replace(indexdef, format(' ON %I.', schemaname), ' ON pure_sql.')
FROM pg_indexes
WHERE schemaname = current_schema() AND tablename IN ('leads', 'contacts')
