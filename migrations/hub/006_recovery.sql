-- Passwords that were forgotten, mail to people, and where they signed in from.
-- Times are milliseconds since 1970, as everywhere.

-- Codes that stand in for something a person lost, by digest; a used one is gone. The digest names
-- the account, except for a link's, which finds it.
CREATE TABLE one_time_code (
    digest     BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    account    BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- A link by mail, a code that an administrator handed over, one of those that were printed at
    -- registration: each of these sets a password. The last confirms an email address.
    kind       TEXT NOT NULL CHECK (kind IN ('link', 'handed', 'printed', 'email')),
    -- A printed one lasts until it is used or replaced.
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_code_account ON one_time_code (account, kind);
CREATE INDEX one_time_code_end ON one_time_code (expires_at) WHERE expires_at IS NOT NULL;

-- Requests for such a link, for logins that exist and for those that do not: so nobody learns from
-- the answer, or from how long it took, which ones do.
CREATE TABLE reset_request (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    login_digest BLOB NOT NULL CHECK (length(login_digest) = 32),
    at           INTEGER NOT NULL
) STRICT;

-- Mail that waits to be sent. It names people, so it is sealed.
CREATE TABLE letter (
    id      BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL,
    due_at  INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX letter_due ON letter (due_at);
CREATE INDEX letter_account ON letter (account);

-- Devices and browsers that signed in at an account before, by the digest of what they were given.
CREATE TABLE known_device (
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

-- Who tried to sign in at an account, and with what outcome. From where and with what is sealed.
CREATE TABLE sign_in (
    id      BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
    sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_account ON sign_in (account, refused, id);
CREATE INDEX sign_in_at ON sign_in (at);
