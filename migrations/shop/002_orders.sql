-- Orders: the signed entries are the truth, the columns beside them are worked out from them.
CREATE TABLE customer (
  party       BLOB PRIMARY KEY,              -- CBOR of the party
  wrapped_key BLOB,                          -- NULL once the person was erased
  since_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_order (
  n          INTEGER PRIMARY KEY,
  customer   BLOB NOT NULL REFERENCES customer (party),
  id         BLOB NOT NULL,
  placed     BLOB NOT NULL CHECK (length(placed) = 32),
  device_key BLOB NOT NULL CHECK (length(device_key) = 32),
  number     TEXT NOT NULL,
  stage      TEXT NOT NULL,
  is_open    INTEGER NOT NULL,
  placed_ms  INTEGER NOT NULL,
  answer_by_ms INTEGER,
  decided    INTEGER,                        -- the ledger's number at the decision: who came last
  generation INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  head       BLOB NOT NULL CHECK (length(head) = 32),
  waits_for_heads INTEGER NOT NULL DEFAULT 0, -- after a restore, until its customer was heard
  UNIQUE (customer, id)
) STRICT;
CREATE INDEX open_orders ON customer_order (n) WHERE is_open;
CREATE INDEX undecided_orders ON customer_order (answer_by_ms) WHERE is_open AND decided IS NULL;

CREATE TABLE order_entry (
  order_n    INTEGER NOT NULL REFERENCES customer_order (n),
  seq        INTEGER NOT NULL,
  lost       INTEGER NOT NULL DEFAULT 0,     -- 1: on a branch that lost to a higher generation
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  generation INTEGER NOT NULL,
  bytes      BLOB NOT NULL,
  PRIMARY KEY (order_n, lost, seq, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE personal_part (
  hash     BLOB PRIMARY KEY CHECK (length(hash) = 32),
  customer BLOB NOT NULL REFERENCES customer (party),
  sealed   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was answered to a request that is no entry, so that a retry gets the same bytes.
CREATE TABLE answer (
  request BLOB PRIMARY KEY CHECK (length(request) = 32),
  bytes   BLOB NOT NULL,
  at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What waits for a device: an order's chain as it stands, or an answer. Sealed when it is sent.
CREATE TABLE outgoing (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  device  BLOB NOT NULL CHECK (length(device) = 16),
  order_n INTEGER REFERENCES customer_order (n),
  answer  BLOB REFERENCES answer (request),
  posted  INTEGER NOT NULL DEFAULT 0         -- 1: a hub keeps it for the device
) STRICT;
CREATE INDEX outgoing_by_device ON outgoing (device, n);
CREATE UNIQUE INDEX outgoing_order ON outgoing (device, order_n) WHERE order_n IS NOT NULL;
CREATE INDEX outgoing_to_post ON outgoing (n) WHERE posted = 0;

-- The stock ledger: signed by nobody, chained by hashes, anchored in the orders' entries.
CREATE TABLE stock_movement (
  n     INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE stock_balance (
  variant  BLOB NOT NULL,
  location BLOB NOT NULL,
  on_hand  INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  PRIMARY KEY (variant, location)
) STRICT, WITHOUT ROWID;

-- Heads of the ledger that customers were told and that the ledger does not have: its end is lost.
CREATE TABLE missing_anchor (
  hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
  seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the ledger holds for each line of an order.
CREATE TABLE reservation (
  order_n  INTEGER NOT NULL REFERENCES customer_order (n),
  line     INTEGER NOT NULL,
  variant  BLOB NOT NULL,
  location BLOB NOT NULL,
  amount   INTEGER NOT NULL CHECK (amount > 0),
  seq      INTEGER NOT NULL,                 -- its place in the ledger: who was accepted last
  PRIMARY KEY (order_n, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_by_variant ON reservation (variant, location);

-- What a device asked for under a key of its own, so that asking again does nothing again.
CREATE TABLE done_once (
  device  BLOB NOT NULL CHECK (length(device) = 16),
  key     TEXT NOT NULL,
  request BLOB NOT NULL CHECK (length(request) = 32),
  answer  BLOB NOT NULL,
  at_ms   INTEGER NOT NULL,
  PRIMARY KEY (device, key)
) STRICT, WITHOUT ROWID;

-- What is for sale at what price: the decision reads it, the catalogue's projection writes it.
CREATE TABLE offer (
  variant  BLOB PRIMARY KEY,
  product  BLOB NOT NULL,
  currency TEXT NOT NULL,
  minor    INTEGER NOT NULL,
  per      INTEGER NOT NULL,
  tax_bp   INTEGER NOT NULL,
  unit     TEXT NOT NULL,
  counted  INTEGER NOT NULL,
  safety   INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  closed   INTEGER NOT NULL DEFAULT 0        -- 1: not sold until recounted or confirmed
) STRICT, WITHOUT ROWID;
