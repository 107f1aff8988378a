-- 0003: privacy notices, and what customers decide: consents, lawful bases, objections, restrictions.
SET search_path = vault;

-- Versions of privacy notices. A version with renew asks all earlier consents anew from revision on.
CREATE TABLE notice (
	name text NOT NULL,
	version integer NOT NULL,
	renew boolean NOT NULL,
	revision bigint NOT NULL,          -- of the configuration that published it
	texts text NOT NULL,               -- JSON: language to text
	hash bytea NOT NULL,               -- SHA-256 of texts
	published_at timestamptz NOT NULL,
	published_by text NOT NULL,
	PRIMARY KEY (name, version)
);

-- Append-only. What counts now is derived from it and kept as the purpose state of the customer's row.
CREATE SEQUENCE consent_item AS bigint; -- no cache: events are in the order of time on all nodes
CREATE TABLE consent_event (
	customer_id bigint NOT NULL,
	purpose integer NOT NULL,          -- 0: every purpose (restriction)
	item bigint NOT NULL DEFAULT nextval('vault.consent_item'),
	kind integer NOT NULL,
	dek_generation integer NOT NULL,
	at timestamptz NOT NULL,
	valid_until timestamptz NOT NULL,  -- of a consent; else infinity
	notice_version integer NOT NULL,   -- 0: none
	detail text NOT NULL,              -- canonical JSON without personal data
	sealed bytea,                      -- evidence and guardian, under the customer's key
	PRIMARY KEY (customer_id, purpose, item)
);
CREATE INDEX customer_expiring ON customer (state_valid_until) WHERE state_valid_until < 'infinity';

GRANT SELECT, INSERT ON notice TO vault_service;
GRANT SELECT, INSERT, DELETE ON consent_event TO vault_service;
GRANT USAGE ON SEQUENCE consent_item TO vault_service;
