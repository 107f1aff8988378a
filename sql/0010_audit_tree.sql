-- 0010: the audit log's Merkle tree: which record stands where in it, its hashes, and its checkpoints.
SET search_path = vault;

-- One row a tree; the newest is in use. A tree grows by compare-and-set on its size.
CREATE TABLE audit_log (
	log integer PRIMARY KEY,           -- from 1
	origin text NOT NULL UNIQUE,       -- its name in checkpoints
	opened_at timestamptz NOT NULL,
	first_stream bigint NOT NULL,      -- the stream whose record opens it and names the break before it; 0: none
	size bigint NOT NULL,              -- entries
	ended boolean NOT NULL,            -- another one has been opened: it does not grow any more
	checkpoint_size bigint NOT NULL,   -- -1: none has been signed
	checkpoint text NOT NULL,          -- the newest, a signed note
	signed_at timestamptz
) WITH (fillfactor = 20);

-- Where each stream has got to: what comes before next_seq is in a tree, and ends with this MAC.
CREATE TABLE audit_position (
	stream bigint PRIMARY KEY,
	next_seq bigint NOT NULL,
	mac bytea NOT NULL,
	closed boolean NOT NULL,           -- nobody writes it any more, and all of it is sealed
	fault text NOT NULL                -- why it is not sealed further; empty: it is
) WITH (fillfactor = 20);
CREATE INDEX audit_position_open ON audit_position (stream) WHERE NOT closed;
CREATE INDEX audit_position_fault ON audit_position (stream) WHERE fault <> '';

-- Entries first_index ... are the records first_seq ... of a stream; the records themselves stay in audit_segment.
CREATE TABLE audit_span (
	log integer NOT NULL,
	first_index bigint NOT NULL,
	stream bigint NOT NULL,
	first_seq bigint NOT NULL,
	count integer NOT NULL,
	PRIMARY KEY (log, first_index),
	UNIQUE (stream, first_seq)
);

-- Full tiles: 256 hashes. Never changed.
CREATE TABLE audit_tile (
	log integer NOT NULL,
	level integer NOT NULL,
	tile bigint NOT NULL,
	hashes bytea NOT NULL,
	PRIMARY KEY (log, level, tile)
);
ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
-- The tile at the right edge of each level: fewer than 256 hashes.
CREATE TABLE audit_edge (
	log integer NOT NULL,
	level integer NOT NULL,
	hashes bytea NOT NULL,
	PRIMARY KEY (log, level)
);
ALTER TABLE audit_edge ALTER COLUMN hashes SET STORAGE EXTERNAL;

GRANT SELECT, INSERT, UPDATE ON audit_log, audit_position, audit_edge TO vault_service;
GRANT SELECT, INSERT ON audit_span, audit_tile TO vault_service;
