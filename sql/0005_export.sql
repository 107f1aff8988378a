-- 0005: exports: archives in sealed chunks, under the customer's key.
SET search_path = vault;

CREATE TABLE export_chunk (
	customer_id bigint NOT NULL,
	request bigint NOT NULL,
	chunk integer NOT NULL,            -- from 0
	last boolean NOT NULL,
	dek_generation integer NOT NULL,
	at timestamptz NOT NULL,
	sealed bytea NOT NULL,
	PRIMARY KEY (customer_id, request, chunk)
);
ALTER TABLE export_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX export_chunk_age ON export_chunk (at);
GRANT SELECT, INSERT, DELETE ON export_chunk TO vault_service;
