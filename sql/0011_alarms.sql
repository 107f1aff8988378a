-- 0011: rows held against the log, alarms and canaries.
SET search_path = vault;

-- How far the log has been read, and what it says of each slice of customers; authenticated by its last 32 bytes.
CREATE TABLE watch_state (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	saved_at timestamptz NOT NULL,
	state bytea NOT NULL
);
ALTER TABLE watch_state ALTER COLUMN state SET STORAGE EXTERNAL;

-- The cycle under way, or the last one.
CREATE TABLE scrub (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	cycle bigint NOT NULL,
	next_slice integer NOT NULL,       -- of 4096; that many: the cycle has ended
	asked boolean NOT NULL,            -- by a person: without pauses
	customers bigint NOT NULL,         -- looked at in this cycle
	started_at timestamptz NOT NULL,
	ended_at timestamptz               -- of the last whole cycle
);
INSERT INTO scrub (cycle, next_slice, asked, customers, started_at) VALUES (0, 4096, false, 0, 'epoch');

CREATE TABLE scrub_finding (
	slice integer NOT NULL,
	sref bytea NOT NULL,               -- empty: a row that belongs to no customer of the log
	what text NOT NULL,
	found_at timestamptz NOT NULL,
	PRIMARY KEY (slice, sref, what)
);

-- Customers that nobody has a reason to read.
CREATE TABLE canary (
	sref bytea PRIMARY KEY,
	set_at timestamptz NOT NULL,
	set_by text NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON watch_state TO vault_service;
GRANT SELECT, UPDATE ON scrub TO vault_service;
GRANT SELECT, INSERT, DELETE ON scrub_finding, canary TO vault_service;
