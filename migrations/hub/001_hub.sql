-- The hub's data. Everything that names a person stands in `account.personal` alone, sealed; the
-- tables of the relay (`mail`, `record`) know addresses, keys, sizes and deadlines, and nothing
-- else (P4).
-- Times are milliseconds since 1970, ids are the sixteen bytes of a UUID.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id            BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    -- A keyed digest finds the login; login, email and name themselves are sealed.
    login_digest  BLOB NOT NULL UNIQUE CHECK (length(login_digest) = 32),
    personal      BLOB NOT NULL,
    language      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    roles         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The erased stay erased after a restore: their ids alone are kept.
CREATE TABLE erased (
    id BLOB PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id         BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    account    BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    scope      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account, id);
CREATE INDEX session_end ON session (ends_at);

-- Refresh tokens by digest: what is stored opens nothing.
CREATE TABLE refresh (
    digest    BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    session   BLOB NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    issued_at INTEGER NOT NULL,
    used_at   INTEGER,
    retry_id  BLOB,
    -- The answer that was given, sealed under a key that only the holder of the old token can make.
    answer    BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_session ON refresh (session);

-- Keys that sign access tokens. What a key does follows from these moments and the clock alone.
CREATE TABLE token_key (
    kid        TEXT PRIMARY KEY NOT NULL,
    secret     BLOB NOT NULL,
    public     BLOB NOT NULL CHECK (length(public) = 32),
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every certificate that this hub signed, so that it can be listed and revoked.
CREATE TABLE certificate (
    cti        BLOB PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('device', 'shop', 'hub')),
    key        BLOB NOT NULL CHECK (length(key) = 32),
    key_id     BLOB NOT NULL CHECK (length(key_id) = 16),
    sealing    BLOB NOT NULL CHECK (length(sealing) = 32),
    account    BLOB,
    subject    BLOB,
    bytes      BLOB NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_key ON certificate (key_id);
CREATE INDEX certificate_account ON certificate (account, cti);
CREATE INDEX certificate_revoked ON certificate (revoked_at) WHERE revoked_at IS NOT NULL;

-- Revocation lists, ours and those that travelled here, the newest of each issuer.
CREATE TABLE revocation_list (
    issuer BLOB PRIMARY KEY NOT NULL CHECK (length(issuer) = 16),
    number INTEGER NOT NULL,
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Shops that applied. What the owner says about the shop is public; who the owner is, is not here.
CREATE TABLE shop (
    id          BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    account     BLOB NOT NULL,
    name        TEXT NOT NULL,
    lat_e7      INTEGER NOT NULL,
    lon_e7      INTEGER NOT NULL,
    city        TEXT,
    opens       TEXT,
    owner_key   BLOB NOT NULL CHECK (length(owner_key) = 32),
    node_key    BLOB CHECK (node_key IS NULL OR length(node_key) = 32),
    sealing     BLOB NOT NULL CHECK (length(sealing) = 32),
    state       TEXT NOT NULL CHECK (state IN ('applied', 'approved', 'refused')),
    certificate BLOB,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX shop_place ON shop (lat_e7, lon_e7);

-- Community hubs that this hub certified.
CREATE TABLE hub (
    key         BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    name        TEXT NOT NULL,
    addresses   TEXT NOT NULL,
    certificate BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The blind mailbox. `cursor` never repeats, so that a reader misses nothing between two lists.
CREATE TABLE mail (
    cursor     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL CHECK (length(id) = 32),
    recipient  BLOB NOT NULL,
    sender     BLOB NOT NULL CHECK (length(sender) = 16),
    size       INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    stored_at  INTEGER NOT NULL,
    bytes      BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX mail_once ON mail (recipient, id);
CREATE INDEX mail_list ON mail (recipient, cursor);
CREATE INDEX mail_until ON mail (until);
CREATE INDEX mail_sender ON mail (sender);

-- The directory: of each shop the record with the highest generation and number, signed as it came.
CREATE TABLE record (
    shop         BLOB PRIMARY KEY NOT NULL CHECK (length(shop) = 16),
    generation   INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    cell         TEXT NOT NULL,
    leased_until INTEGER NOT NULL,
    bytes        BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX record_cell ON record (cell, shop);
CREATE INDEX record_lease ON record (leased_until);

-- What was asked under an Idempotency-Key, and what came of it.
CREATE TABLE idempotency (
    key     BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    request BLOB NOT NULL CHECK (length(request) = 32),
    subject BLOB NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

-- Administrative acts and refusals, each holding the hash of the one before.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    prev    BLOB NOT NULL CHECK (length(prev) = 32),
    hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
