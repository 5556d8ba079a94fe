-- The projection `quarantine`, version 2: who sent a refused submission. It is folded again from the log, because it has a
-- new version.
-- An installation or a hub; null when nobody gave a name.
ALTER TABLE quarantine ADD COLUMN sent_by text;
