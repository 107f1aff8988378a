-- 0004: rights requests (export, erase, rectify, restrict, object), approvals, notes, legal holds, and the erasures done.
SET search_path = vault;

CREATE TABLE rights_request (
	request bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	customer_id bigint NOT NULL,       -- 0: erased
	sref bytea NOT NULL,               -- empty: erased
	kind integer NOT NULL,
	state integer NOT NULL,
	scope text NOT NULL,               -- canonical JSON: names of fields, classes, records, purposes
	jurisdiction text NOT NULL,
	channel text NOT NULL,
	requester text NOT NULL,
	officer boolean NOT NULL,          -- the requester may handle requests himself: he counts as one of those who stand behind it
	assignee text NOT NULL,
	reason text NOT NULL,              -- code: why denied, failed, extended
	created_at timestamptz NOT NULL,
	due_at timestamptz NOT NULL,
	extended boolean NOT NULL,
	approved_at timestamptz,
	ended_at timestamptz,
	done bigint NOT NULL,
	total bigint NOT NULL,
	recipients text NOT NULL DEFAULT '' -- JSON: who had received the data that was erased or corrected
);
CREATE INDEX rights_request_customer ON rights_request (customer_id);
CREATE INDEX rights_request_open ON rights_request (state, due_at) WHERE ended_at IS NULL;

CREATE TABLE rights_approval (
	request bigint NOT NULL,
	approver text NOT NULL,
	scope_hash bytea NOT NULL,
	at timestamptz NOT NULL,
	PRIMARY KEY (request, approver)
);

CREATE TABLE rights_note (
	customer_id bigint NOT NULL,
	request bigint NOT NULL,
	item bigint GENERATED ALWAYS AS IDENTITY,
	author text NOT NULL,
	at timestamptz NOT NULL,
	dek_generation integer NOT NULL,
	sealed bytea NOT NULL,             -- under the customer's key
	PRIMARY KEY (customer_id, request, item)
);

-- A hold counts once a second person has confirmed it, until it ends or is released.
CREATE TABLE hold (
	hold bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	customer_id bigint NOT NULL,
	scope text NOT NULL,               -- as of a request; {} holds everything
	reason text NOT NULL,
	law text NOT NULL,
	until timestamptz NOT NULL,
	proposed_by text NOT NULL,
	proposed_at timestamptz NOT NULL,
	confirmed_by text,
	confirmed_at timestamptz,
	released_by text,
	released_at timestamptz
);
CREATE INDEX hold_customer ON hold (customer_id);

-- Erasures of whole customers as the ledger has them; a part of a customer is in the audit log alone.
CREATE TABLE erasure (
	position bigint PRIMARY KEY,       -- in the ledger
	customer_mac bytea NOT NULL UNIQUE,
	request bigint NOT NULL,
	at timestamptz NOT NULL,
	hash bytea NOT NULL                -- of the ledger up to and with this entry
);

GRANT SELECT, INSERT, UPDATE ON rights_request TO vault_service;
GRANT SELECT, INSERT, DELETE ON rights_approval, rights_note TO vault_service;
GRANT SELECT, INSERT, UPDATE ON hold TO vault_service;
GRANT SELECT, INSERT ON erasure TO vault_service;
