-- Each certificate that somebody who works here ever got: whoever is shut out loses all of them.
CREATE TABLE staff_certificate (
  serial      BLOB PRIMARY KEY CHECK (length(serial) = 16),
  device      BLOB NOT NULL CHECK (length(device) = 16),
  certificate BLOB NOT NULL,
  own_role    TEXT,                          -- which of the shop's own roles, where it is one
  issued_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX staff_certificate_by_device ON staff_certificate (device, issued_ms);

-- The shop's own roles: words of actions, with a space between.
CREATE TABLE staff_role (
  name        TEXT PRIMARY KEY,
  permissions TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- People who take their turn at a till by a PIN.
CREATE TABLE staff_person (
  id       BLOB PRIMARY KEY CHECK (length(id) = 16),
  name     TEXT NOT NULL COLLATE NOCASE UNIQUE,
  role     TEXT NOT NULL,
  pin      TEXT,                             -- argon2id, keyed by the box; NULL until one is set
  version  INTEGER NOT NULL,                 -- another one ends what was opened before
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Wrong PINs of one person at one till.
CREATE TABLE pin_failure (
  person   BLOB NOT NULL REFERENCES staff_person (id) ON DELETE CASCADE,
  till     BLOB NOT NULL CHECK (length(till) = 16),
  failures INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (person, till)
) STRICT, WITHOUT ROWID;

-- Who had an entry of an order written: the entry itself names the box alone.
CREATE TABLE entry_by (
  entry BLOB PRIMARY KEY CHECK (length(entry) = 32),
  who   BLOB NOT NULL CHECK (length(who) = 16),
  till  BLOB CHECK (length(till) = 16)
) STRICT, WITHOUT ROWID;

-- Devices of accounts that this shop knows, whatever a hub says later; those that it was asked to
-- know wait for a person (known = 0).
CREATE TABLE pinned_device (
  device   BLOB PRIMARY KEY CHECK (length(device) = 16),
  account  BLOB NOT NULL CHECK (length(account) = 16),
  key      BLOB NOT NULL CHECK (length(key) = 32),
  known    INTEGER NOT NULL,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pinned_device_by_account ON pinned_device (account);
