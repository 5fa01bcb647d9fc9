-- Second factors: secrets that an authenticator app shares, sealed. One counts once it was confirmed.
CREATE TABLE factor (
    id           BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    account      BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    secret       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER,
    -- The newest step of which a code was taken: each counts once (RFC 6238, section 5.2).
    last_step    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX factor_account ON factor (account);

-- Codes for those who lost their authenticator, by digest; a used one is gone.
CREATE TABLE recovery_code (
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;
