-- Empty copies of the projection's tables in a schema beside the store's. Indexes come when the rows are in: that is
-- the quickest way to make a table.
CREATE SCHEMA pure_sql;
CREATE TABLE pure_sql.leads (LIKE leads INCLUDING ALL EXCLUDING INDEXES);
CREATE TABLE pure_sql.contacts (LIKE contacts INCLUDING ALL EXCLUDING INDEXES);
CREATE TYPE pure_sql.capture AS (at timestamptz, client_id uuid, value text);

-- A moment as the program writes it.
CREATE FUNCTION pure_sql.rfc3339(moment timestamptz, offset_minutes smallint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN rtrim(rtrim(to_char(moment AT TIME ZONE 'UTC' + make_interval(mins => offset_minutes),
                           'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.')
       || CASE WHEN offset_minutes = 0 THEN 'Z'
               ELSE CASE WHEN offset_minutes < 0 THEN '-' ELSE '+' END
                    || to_char(make_interval(mins => abs(offset_minutes::integer)), 'HH24:MI') END;
