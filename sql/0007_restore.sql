-- 0007: which vault this is, so that a backup is of one vault, and a restore that has not ended is not served.
SET search_path = vault;

CREATE TABLE vault_identity (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	vault text NOT NULL,               -- random; goes with every backup
	restoring text NOT NULL DEFAULT '' -- a restore that has not ended: the data backup that it loads
);
INSERT INTO vault_identity (vault) VALUES (gen_random_uuid()::text);

GRANT SELECT ON vault_identity TO vault_service;
