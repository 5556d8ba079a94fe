-- Of a hub: its cloud, and what it shows there. The secret is the hub's own making; the cloud keeps a hash of it.
CREATE TABLE hub_link (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    cloud text NOT NULL,
    -- The one-time code by which the secret comes to count. It is worth nothing once there is a client_id.
    code text NOT NULL,
    secret text NOT NULL,
    -- What the cloud calls this hub; null until the cloud has let it in.
    client_id text
);
