-- Programs of others that people may sign in to with their account here.
-- Times are milliseconds since 1970, as everywhere.
CREATE TABLE client (
    id            TEXT PRIMARY KEY NOT NULL,
    -- Where codes may go, one a line; compared byte for byte.
    redirect_uris TEXT NOT NULL,
    -- The digest of the secret of a confidential client: 32 random bytes, which need no slow hash.
    secret        BLOB CHECK (secret IS NULL OR length(secret) = 32),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose tokens a session gives; none means our own programs. A client that goes takes them along.
ALTER TABLE session ADD COLUMN client TEXT REFERENCES client (id) ON DELETE CASCADE;
CREATE INDEX session_client ON session (client) WHERE client IS NOT NULL;

-- Browsers that are signed in at the hub's own pages, by the digest of their cookie.
CREATE TABLE browser (
    digest     BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    account    BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    signed_in  INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX browser_account ON browser (account);

-- Authorization codes by digest. A used one stays for a day, so that a second use is noticed.
CREATE TABLE code (
    digest       BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    client       TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    account      BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    scope        TEXT NOT NULL,
    nonce        TEXT,
    signed_in    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    -- What the code gave, once it was used.
    session      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX code_account ON code (account);
CREATE INDEX code_client ON code (client);
CREATE INDEX code_end ON code (expires_at);

-- Tokens of services, which stand for no person; a token that is not here does not count.
CREATE TABLE service_token (
    id         BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    client     TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX service_token_client ON service_token (client);
CREATE INDEX service_token_end ON service_token (expires_at);
