-- The projection `contacts`: one row per campaign and e-mail address; a lead without one is a contact of its own.
-- Rebuilt: TRUNCATE contacts; UPDATE projection_cursors SET position = 0 WHERE name = 'contacts';
CREATE TABLE contacts (
    campaign_id text COLLATE "C" NOT NULL,
    -- The e-mail address in its normal form, or the client id of a lead without one (which has no @).
    contact_key text COLLATE "C" NOT NULL,
    -- The earliest capture (then the smaller client id), whatever came first.
    first_captured_at timestamptz NOT NULL,
    first_client_id uuid NOT NULL,
    last_captured_at timestamptz NOT NULL,
    lead_count bigint NOT NULL CHECK (lead_count > 0),
    -- As the earliest lead gave it.
    email text,
    -- Of the earliest lead that has one, which is named so that an earlier one can be told.
    phone text,
    phone_captured_at timestamptz,
    phone_client_id uuid,
    -- [{"firstName", "lastName", "capturedAt", "clientId"}], different names, earliest first. The first one
    -- names the contact; more than one means that somebody should look.
    names json NOT NULL,
    first_name text GENERATED ALWAYS AS (names -> 0 ->> 'firstName') STORED,
    last_name text GENERATED ALWAYS AS (names -> 0 ->> 'lastName') STORED,
    -- [{"id", "textVersion", "language", "grantedAt", "clientId"}], by id, each the earliest grant.
    consents json NOT NULL,
    PRIMARY KEY (campaign_id, contact_key)
);
