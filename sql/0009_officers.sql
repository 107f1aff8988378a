-- 0009: a rights request keeps why its term was extended, and when it was last put on hold.
SET search_path = vault;

ALTER TABLE rights_request
	ADD COLUMN extension_reason text NOT NULL DEFAULT '',
	ADD COLUMN held_at timestamptz;    -- a hold that ends later makes it run again
