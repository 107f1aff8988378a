-- 0007: which vault this is, so that a backup is of one vault and a restore is not served half done; from when
-- retention counts, and what has been swept.
SET search_path = vault;

CREATE TABLE vault_identity (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	vault text NOT NULL,               -- random; goes with every backup
	restoring text NOT NULL DEFAULT '' -- a restore that has not ended: the data backup that it loads
);
INSERT INTO vault_identity (vault) VALUES (gen_random_uuid()::text);

-- When a value was sealed, of fields that have a retention alone. Counts only with the version of the customer's directory.
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
	swept bigint NOT NULL DEFAULT 0,
	swept_at timestamptz,
	scan_after bigint,                 -- customers up to this one have their row in field_age; null: all
	PRIMARY KEY (what, number)
);
INSERT INTO retention (what, number, scan_after)
	SELECT 1, number, 0 FROM field WHERE NOT record AND (definition::json ->> 'retention_days') IS NOT NULL;

GRANT SELECT ON vault_identity TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON field_age TO vault_service;
GRANT SELECT, INSERT, UPDATE ON retention TO vault_service;
