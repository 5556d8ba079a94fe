-- Of a hub: its cloud, and what it shows there. The secrets are the hub's own making; the cloud keeps hashes of them.
CREATE TABLE hub_link (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    cloud text NOT NULL,
    -- What the cloud calls this hub, the secret that it knows, and the code that brought it there; null until it was let in.
    client_id text,
    secret text,
    code text,
    -- A code that is still to be shown, with the secret that it is to bring. What is above goes on until the cloud has taken it.
    offered_code text,
    offered_secret text
);

-- As with the keys that sign tokens: for whoever serves, and not for whoever may read all tables.
ALTER TABLE hub_link ENABLE ROW LEVEL SECURITY;
CREATE POLICY hub_link_of_who_serves ON hub_link
    USING (has_any_column_privilege('events'::regclass, 'INSERT'))
    WITH CHECK (has_any_column_privilege('events'::regclass, 'INSERT'));
