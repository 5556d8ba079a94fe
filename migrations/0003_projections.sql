-- Read models: where each projection stands in the log, and what it could not read.
-- Everything here is derived. To rebuild a projection by hand, while no program runs: truncate its tables,
-- set its cursor to 0 and delete its parked events; the next run folds the log again.

-- `position` is the newest event that the projection's tables hold. Rows and cursor move in one transaction,
-- by compare-and-set on `position`.
-- Rebuilt: nothing to rebuild; a missing row means that the projection starts from the beginning.
CREATE TABLE projection_cursors (
    name text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    PRIMARY KEY (name, version)
);

-- Events that a projection could not fold. It went on without them; they stay in the log, and here, until a
-- program that understands them rebuilds the projection. `reason` holds no personal data.
-- Rebuilt: with its projection.
CREATE TABLE parked_events (
    projection text NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, position)
);
