-- 0008: what archives say and who is told: holds that may be told, whom an archive is for; messages to others: webhooks, and the outbox from which they are sent.
SET search_path = vault;

ALTER TABLE hold ADD COLUMN may_be_told boolean NOT NULL DEFAULT false;        -- to the person
ALTER TABLE rights_request ADD COLUMN recipient text NOT NULL DEFAULT '';      -- of an export: certificate (PEM) that its archive is encrypted to

-- The newest version of a name counts; an empty URL is one that was removed.
CREATE TABLE webhook (
	name text NOT NULL,
	version integer NOT NULL,
	url text NOT NULL,
	recipient text NOT NULL,           -- SPIFFE ID whose messages it takes; empty: only those that concern no recipient
	kinds text[] NOT NULL,
	changed_at timestamptz NOT NULL,
	changed_by text NOT NULL,
	PRIMARY KEY (name, version)
);

CREATE TABLE outbox (
	number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	message uuid NOT NULL DEFAULT gen_random_uuid(), -- what a receiver tells repeats by; not the number, which a restore gives again
	kind text NOT NULL,
	webhook text NOT NULL,
	recipient text NOT NULL,
	request bigint NOT NULL,           -- rights request that it is about; 0: none
	data text NOT NULL,                -- JSON; nothing personal
	created_at timestamptz NOT NULL DEFAULT now(),
	next_at timestamptz NOT NULL DEFAULT now(),
	tries integer NOT NULL DEFAULT 0,
	state integer NOT NULL DEFAULT 0,  -- 0 waiting, 1 sent, 2 dead
	trouble text NOT NULL DEFAULT '',  -- code of the last failure
	ended_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE state = 0;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE state > 0;
CREATE INDEX outbox_request ON outbox (request) WHERE request > 0;

-- Whose recipients are not listed yet: rectifications.
CREATE INDEX rights_request_untold ON rights_request (kind, state) WHERE recipients = '';

GRANT SELECT, INSERT ON webhook TO vault_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO vault_service;
