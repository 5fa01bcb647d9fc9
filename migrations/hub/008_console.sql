-- Browsers in which an operator is signed in at the console, by the digest of their cookie. Whoever
-- has not `proved` a second factor yet may enrol one and nothing else.
CREATE TABLE console (
    digest    BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    id        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    account   BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    proved    INTEGER NOT NULL CHECK (proved IN (0, 1)),
    -- The factor that was begun in this browser: nobody is shown the secret of another's.
    factor    BLOB CHECK (factor IS NULL OR length(factor) = 16),
    signed_in INTEGER NOT NULL,
    used_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_account ON console (account);

-- The console counts mail by recipient and looks for certificates that end, of shops and hubs alone.
CREATE INDEX mail_queue ON mail (recipient, size, stored_at) WHERE passed = 0;
CREATE INDEX certificate_not_device ON certificate (key_id, expires_at) WHERE kind <> 'device';
