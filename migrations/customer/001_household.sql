-- One household's device: who it is, which shops it knows, its orders and what it still has to send.

-- Single facts: account, certificates, roster, known time, the household document.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Shops that somebody chose, pinned by their owner's key.
CREATE TABLE shop (
  shop_id      BLOB PRIMARY KEY CHECK (length(shop_id) = 16),
  name         TEXT NOT NULL,
  owner_key    BLOB NOT NULL CHECK (length(owner_key) = 32),
  certificates BLOB NOT NULL,     -- CBOR list of CWTs, the newest node's first
  generation   INTEGER NOT NULL,  -- of the newest node seen
  addresses    TEXT NOT NULL,     -- JSON list: multiaddrs
  hubs         TEXT NOT NULL,     -- JSON list: multiaddrs of hubs that keep its mail
  vouched      INTEGER NOT NULL CHECK (vouched IN (0, 1)),
  pinned_at    INTEGER NOT NULL,
  ledger       BLOB               -- the newest head of its stock ledger that an entry told
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_order (
  order_id      BLOB PRIMARY KEY CHECK (length(order_id) = 16),
  shop_id       BLOB NOT NULL REFERENCES shop,
  placed_at     INTEGER NOT NULL,
  open          INTEGER NOT NULL CHECK (open IN (0, 1)),  -- still to be followed
  personal_salt BLOB,
  personal      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_order_open ON customer_order (shop_id) WHERE open = 1;

-- The signed entries, byte for byte. A branch that lost is kept and marked.
CREATE TABLE entry (
  order_id   BLOB NOT NULL REFERENCES customer_order,
  seq        INTEGER NOT NULL,
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  kind       INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  bytes      BLOB NOT NULL,
  lost       INTEGER NOT NULL DEFAULT 0 CHECK (lost IN (0, 1)),
  PRIMARY KEY (order_id, hash)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entry_chain ON entry (order_id, seq) WHERE lost = 0;

-- Entries that came before the one they follow.
CREATE TABLE early_entry (
  order_id BLOB NOT NULL,
  hash     BLOB NOT NULL,
  bytes    BLOB NOT NULL,
  PRIMARY KEY (order_id, hash)
) STRICT, WITHOUT ROWID;

-- Statements on their way to a shop. A row leaves only when the shop itself has answered.
CREATE TABLE outbox (
  hash     BLOB PRIMARY KEY CHECK (length(hash) = 32),
  shop_id  BLOB NOT NULL REFERENCES shop,
  order_id BLOB NOT NULL,
  bytes    BLOB NOT NULL,
  until    INTEGER NOT NULL,
  queued_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a shop answered to requests it refused.
CREATE TABLE refusal (
  hash     BLOB PRIMARY KEY CHECK (length(hash) = 32),
  order_id BLOB NOT NULL,
  code     INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  bytes    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What the person was shown, and when: outsiders check promises by this.
CREATE TABLE journal (
  order_id     BLOB PRIMARY KEY REFERENCES customer_order,
  shown_placed INTEGER NOT NULL,
  first_path   TEXT CHECK (first_path IN ('direct', 'hub', 'community', 'file')),
  first_path_at INTEGER,
  intake_at    INTEGER,
  decided_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Saved catalogues: the verified chunks, as the shop numbered them.
CREATE TABLE chunk (
  shop_id    BLOB NOT NULL REFERENCES shop,
  generation INTEGER NOT NULL,
  bucket     INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  head       BLOB NOT NULL,
  bytes      BLOB NOT NULL,
  PRIMARY KEY (shop_id, bucket, n)
) STRICT, WITHOUT ROWID;

-- Shop nodes whose certificates were verified: by their keys stored entries are read again.
CREATE TABLE signer (
  key_id     BLOB PRIMARY KEY CHECK (length(key_id) = 16),
  key        BLOB NOT NULL CHECK (length(key) = 32),
  shop_id    BLOB NOT NULL,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
