-- What this box knows about itself and about those it deals with.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each time this shop's data began anew on a box: the newest is the one in force.
CREATE TABLE generation (
  n           INTEGER PRIMARY KEY,
  node        BLOB NOT NULL CHECK (length(node) = 32),
  certificate BLOB NOT NULL,
  since_ms    INTEGER NOT NULL
) STRICT;

-- Certificates that came along with mail, by the key they certify.
CREATE TABLE known_chain (
  key     BLOB PRIMARY KEY CHECK (length(key) = 16),
  chain   BLOB NOT NULL,
  seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest list of revoked certificates of each issuer.
CREATE TABLE revocation_list (
  issuer  BLOB PRIMARY KEY CHECK (length(issuer) = 16),
  number  INTEGER NOT NULL,
  bytes   BLOB NOT NULL,
  seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE nonce (
  nonce    BLOB PRIMARY KEY,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
