-- Whether a second factor was shown when a session began: administrators do nothing without one.
ALTER TABLE session ADD COLUMN factor INTEGER NOT NULL DEFAULT 0 CHECK (factor IN (0, 1));
ALTER TABLE browser ADD COLUMN factor INTEGER NOT NULL DEFAULT 0 CHECK (factor IN (0, 1));
ALTER TABLE code ADD COLUMN factor INTEGER NOT NULL DEFAULT 0 CHECK (factor IN (0, 1));

-- Since when an account is closed for the time being; its devices' certificates go on.
ALTER TABLE account ADD COLUMN suspended_at INTEGER;

-- The key of what is sealed about one person, itself sealed: it goes with the account.
ALTER TABLE account ADD COLUMN person_key BLOB;

CREATE INDEX shop_account ON shop (account);
CREATE INDEX audit_subject ON audit (subject);
CREATE INDEX audit_actor ON audit (actor);
