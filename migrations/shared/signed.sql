-- When a stored document was signed, also where it came as a whole and not chunk by chunk.
ALTER TABLE catalogue_base ADD COLUMN signed_at INTEGER NOT NULL DEFAULT 0;
