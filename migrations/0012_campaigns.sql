-- Every process looks for newly published campaigns once a second, however many leads the log holds. Partial, so
-- that leads pay nothing for it.
CREATE INDEX events_campaigns ON events (position) WHERE aggregate_type = 'campaign';
