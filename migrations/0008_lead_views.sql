-- Leads as people see them: the device's newest version with the office's changes on top. The projection
-- `leads` now owns the contacts too, because they are computed from these rows.
-- Rebuilt: TRUNCATE leads, lead_follow_ups, contacts; UPDATE projection_cursors SET position = 0 WHERE name = 'leads';

-- What the device said last is in the columns that were here, with what the office corrected in their place.
-- `position` and `recorded_at` stay those of the first version that was recorded.
ALTER TABLE leads
    -- The contact that the lead belongs to; see contacts.contact_key.
    ADD COLUMN contact_key text COLLATE "C" NOT NULL DEFAULT '',
    -- When the store recorded the version that the row shows.
    ADD COLUMN version_recorded_at timestamptz NOT NULL DEFAULT now(),
    -- How far the device's clock was ahead of a store's, in milliseconds, if that was known.
    ADD COLUMN clock_offset_ms bigint,
    -- Taken back by the device: no export and no contact has it. A later version may bring it back.
    ADD COLUMN is_voided boolean NOT NULL DEFAULT false,
    -- [{"id", "withdrawnAt"}], by id: what was withdrawn through this lead, also if it was given again.
    ADD COLUMN withdrawn json;

-- All leads of a contact, to compute it again.
CREATE INDEX leads_contact ON leads (campaign_id, contact_key);

-- Contacts that cannot be merged with, because a withdrawal reaches over to other leads.
CREATE INDEX leads_withdrawn ON leads (campaign_id, contact_key) WHERE withdrawn IS NOT NULL;

-- What the office did with a lead, which may come before the lead; of an erased lead, that it is erased.
CREATE TABLE lead_follow_ups (
    client_id uuid PRIMARY KEY,
    -- {"corrected": {…}, "withdrawn": {id: time}, "isErased"}
    follow_up json NOT NULL
);

-- [{"id", "withdrawnAt"}], by id: consents that were withdrawn and not given again.
ALTER TABLE contacts ADD COLUMN withdrawn json NOT NULL DEFAULT '[]';

-- The contacts have no cursor of their own any more.
DELETE FROM projection_cursors WHERE name = 'contacts';
DELETE FROM parked_events WHERE projection = 'contacts';
