-- 0006: key epochs: which one wraps new keys, which nodes hold which, and under which an erased customer's key was.
SET search_path = vault;

CREATE TABLE key_epoch (
	epoch integer PRIMARY KEY,
	state text NOT NULL CHECK (state IN ('active', 'retiring', 'destroyed')),
	check_value bigint NOT NULL,       -- stands for the KEK: nodes must hold the same
	activated_at timestamptz NOT NULL,
	retired_at timestamptz,
	destroyed_at timestamptz,          -- decided: no row is on it and its overlap has passed
	gone_at timestamptz                -- no node reported it any more
);
CREATE UNIQUE INDEX key_epoch_active ON key_epoch (state) WHERE state = 'active';

-- One row a running node, renewed every two seconds.
CREATE TABLE key_node (
	node text PRIMARY KEY,
	seen_at timestamptz NOT NULL,
	fingerprint text NOT NULL,
	epochs integer[] NOT NULL,         -- whose KEK its keyring holds
	checks bigint[] NOT NULL           -- their check values, in the same order
);

CREATE INDEX customer_key_epoch ON customer_key (epoch, customer_id);
ALTER TABLE erasure ADD COLUMN key_epoch integer NOT NULL DEFAULT 0; -- of the key that was deleted; 0: not known

GRANT SELECT, INSERT, UPDATE ON key_epoch TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON key_node TO vault_service;
