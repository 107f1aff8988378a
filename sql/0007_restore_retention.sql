-- 0007: which vault this is, so that a backup is of one vault and a restore is not served half done; from when
-- retention counts, and what has been swept.
SET search_path = vault;

CREATE TABLE vault_identity (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	vault text NOT NULL,               -- random; goes with every backup
	restoring text NOT NULL DEFAULT '' -- a restore that has not ended: the data backup that it loads
);
INSERT INTO vault_identity (vault) VALUES (gen_random_uuid()::text);

-- When a value was sealed at the latest, of fields that have a retention alone; found by a walk over all customers, so that
-- no write is slower for it. Counts only with the version in the customer's directory.
CREATE TABLE field_age (
	customer_id bigint NOT NULL,
	subject integer NOT NULL,
	version integer NOT NULL,
	sealed_at timestamptz NOT NULL,
	PRIMARY KEY (customer_id, subject)
);
CREATE INDEX field_age_due ON field_age (subject, sealed_at, customer_id);
CREATE INDEX record_age ON record (kind, created_at, item);
CREATE INDEX consent_event_ended ON consent_event (purpose, at, customer_id) WHERE kind IN (2, 3, 4, 6);

-- What was swept of a field or record kind (what 1) or of a purpose's consents (what 2).
CREATE TABLE retention (
	what integer NOT NULL,
	number integer NOT NULL,
	swept bigint NOT NULL,
	swept_at timestamptz NOT NULL,
	PRIMARY KEY (what, number)
);

GRANT SELECT ON vault_identity TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON field_age TO vault_service;
GRANT SELECT, INSERT, UPDATE ON retention TO vault_service;
