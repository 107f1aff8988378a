-- 0001: the vault's tables. Applied by the owner of the schema; the service role
-- (vault_service) gets what it needs at the end and no DDL.
-- Every customer-owned table leads with customer_id.

CREATE SCHEMA IF NOT EXISTS vault;
SET search_path = vault;

-- One row: what each batch reads first. A change of policy, dictionary, callers,
-- audiences or key epoch adds one to it in its own transaction.
CREATE TABLE vault_revision (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	revision bigint NOT NULL
);
INSERT INTO vault_revision (revision) VALUES (1);

-- Customers: one row each, every field sealed on its own inside "fields".
CREATE TABLE customer (
	customer_id bigint PRIMARY KEY,
	version integer NOT NULL,
	dek_generation integer NOT NULL,
	token_generation integer NOT NULL,
	purpose_state bytea NOT NULL,             -- four bits a purpose number
	state_valid_until timestamptz NOT NULL,   -- earliest expiry in purpose_state
	header bytea NOT NULL,                    -- sealed; authenticates the columns above
	fields bytea NOT NULL,                    -- directory, then sealed units
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL
) WITH (fillfactor = 90);
ALTER TABLE customer ALTER COLUMN fields SET STORAGE EXTERNAL; -- ciphertext does not compress

CREATE TABLE customer_key (
	customer_id bigint PRIMARY KEY,
	dek_generation integer NOT NULL,
	epoch integer NOT NULL,
	wrapped bytea NOT NULL
);

-- Values over 1 KiB, so that the row stays one page read.
CREATE TABLE customer_large (
	customer_id bigint NOT NULL,
	subject integer NOT NULL,
	version integer NOT NULL,
	sealed bytea NOT NULL,
	PRIMARY KEY (customer_id, subject)
);
ALTER TABLE customer_large ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE SEQUENCE record_item AS bigint; -- no cache: items are in the order of time on all nodes
CREATE TABLE record (
	customer_id bigint NOT NULL,
	kind integer NOT NULL,
	item bigint NOT NULL,
	dek_generation integer NOT NULL,
	created_at timestamptz NOT NULL,
	sealed bytea NOT NULL,
	PRIMARY KEY (customer_id, kind, item)
);
ALTER TABLE record ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- space: a field's number, or 65536 + audience for external references.
CREATE TABLE blind_index (
	customer_id bigint NOT NULL,
	space integer NOT NULL,
	epoch integer NOT NULL,
	tag bigint NOT NULL,
	PRIMARY KEY (space, epoch, tag, customer_id)
);

-- Configuration as data. Numbers are never reused; nothing is deleted.
CREATE TABLE field (
	number integer PRIMARY KEY CHECK (number BETWEEN 1 AND 4095),
	name text NOT NULL UNIQUE,
	record boolean NOT NULL,
	version integer NOT NULL,
	definition text NOT NULL
);
CREATE TABLE field_history (
	number integer NOT NULL,
	version integer NOT NULL,
	definition text NOT NULL,
	changed_at timestamptz NOT NULL,
	changed_by text NOT NULL,
	PRIMARY KEY (number, version)
);
CREATE TABLE purpose (
	number integer PRIMARY KEY CHECK (number BETWEEN 1 AND 64),
	name text NOT NULL UNIQUE,
	version integer NOT NULL,
	definition text NOT NULL
);
CREATE TABLE purpose_history (
	number integer NOT NULL,
	version integer NOT NULL,
	definition text NOT NULL,
	changed_at timestamptz NOT NULL,
	changed_by text NOT NULL,
	PRIMARY KEY (number, version)
);
CREATE TABLE audience (
	number integer PRIMARY KEY CHECK (number BETWEEN 1 AND 65535),
	name text NOT NULL UNIQUE,
	token_epoch integer NOT NULL
);
CREATE TABLE policy (
	version integer PRIMARY KEY,
	hash bytea NOT NULL,
	text text NOT NULL,
	activated_at timestamptz NOT NULL,
	activated_by text NOT NULL
);
CREATE TABLE frozen_identity (
	identity text PRIMARY KEY,
	frozen_at timestamptz NOT NULL,
	frozen_by text NOT NULL,
	reason text NOT NULL
);

-- Replies of writes that carried an Idempotency-Key, for 24 hours. No value, no digest of a plain one.
CREATE TABLE idempotency (
	key_mac bytea PRIMARY KEY,
	body_mac bytea NOT NULL,
	status integer NOT NULL,
	result bytea NOT NULL, -- ids that rebuild the reply
	created_at timestamptz NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Distinct searched values an identity and hour: each once, and their number.
CREATE TABLE search_value (
	identity bigint NOT NULL,
	hour timestamptz NOT NULL,
	value bigint NOT NULL,
	PRIMARY KEY (identity, hour, value)
);
CREATE TABLE search_spent (
	identity bigint NOT NULL,
	hour timestamptz NOT NULL,
	spent integer NOT NULL,
	PRIMARY KEY (identity, hour)
);

-- The audit log: one stream an executor and start, one segment a batch.
CREATE TABLE audit_stream (
	stream bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	node text NOT NULL,
	executor integer NOT NULL,
	started_at timestamptz NOT NULL,
	next_batch bigint NOT NULL
) WITH (fillfactor = 20);
CREATE TABLE audit_segment (
	stream bigint NOT NULL,
	first_seq bigint NOT NULL,
	count integer NOT NULL,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	keys bigint[] NOT NULL,
	mac bytea NOT NULL,
	bodies bytea NOT NULL, -- each record: two bytes of length, then canonical JSON
	PRIMARY KEY (stream, first_seq)
);
ALTER TABLE audit_segment ALTER COLUMN keys SET STORAGE EXTERNAL;
DO $$
BEGIN
	ALTER TABLE audit_segment ALTER COLUMN bodies SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
	RAISE NOTICE 'no lz4 in this server: audit segments use its default compression';
END $$;
CREATE INDEX audit_segment_keys ON audit_segment USING gin (keys) WITH (fastupdate = on);
CREATE INDEX audit_segment_time ON audit_segment (last_at);

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vault_service') THEN
		RAISE EXCEPTION 'role vault_service does not exist: create it (LOGIN, no other right) and run this again';
	END IF;
END $$;
GRANT USAGE ON SCHEMA vault TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer, customer_key, customer_large, record, blind_index TO vault_service;
GRANT SELECT, UPDATE ON vault_revision TO vault_service;
GRANT SELECT, INSERT, UPDATE ON field, purpose, audience TO vault_service;
GRANT SELECT, INSERT ON field_history, purpose_history, policy TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON search_value, search_spent TO vault_service;
GRANT SELECT, INSERT, DELETE ON frozen_identity TO vault_service;
GRANT SELECT, INSERT, UPDATE ON audit_stream TO vault_service;
GRANT SELECT, INSERT ON audit_segment TO vault_service;
GRANT USAGE ON SEQUENCE record_item TO vault_service;
GRANT SELECT ON schema_migration TO vault_service;
