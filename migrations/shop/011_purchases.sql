-- From whom the shop buys.
CREATE TABLE supplier (
  id        BLOB PRIMARY KEY CHECK (length(id) = 16),
  name      TEXT NOT NULL COLLATE NOCASE UNIQUE,
  contact   BLOB NOT NULL,                   -- sealed
  lead_days INTEGER,
  since_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a supplier calls a variant, and how it is bought there.
CREATE TABLE supplier_article (
  supplier BLOB NOT NULL REFERENCES supplier (id),
  variant  BLOB NOT NULL CHECK (length(variant) = 16),
  code     TEXT,
  pack     INTEGER NOT NULL CHECK (pack > 0), -- base units in one pack
  cost     BLOB,                             -- the usual price, as CBOR
  PRIMARY KEY (supplier, variant)
) STRICT, WITHOUT ROWID;
CREATE INDEX supplier_article_by_variant ON supplier_article (variant);

CREATE TABLE purchase (
  id         BLOB PRIMARY KEY CHECK (length(id) = 16),
  supplier   BLOB NOT NULL REFERENCES supplier (id),
  location   BLOB NOT NULL,                  -- where the goods are to go
  ordered_ms INTEGER NOT NULL,
  who        BLOB NOT NULL,
  note       TEXT NOT NULL,
  expected   INTEGER,                        -- days since 1970
  ended_ms   INTEGER                         -- nothing more is awaited
) STRICT, WITHOUT ROWID;
CREATE INDEX open_purchases ON purchase (id) WHERE ended_ms IS NULL;

CREATE TABLE purchase_line (
  purchase BLOB NOT NULL REFERENCES purchase (id),
  variant  BLOB NOT NULL CHECK (length(variant) = 16),
  amount   INTEGER NOT NULL CHECK (amount > 0),
  cost     BLOB,                             -- as CBOR
  received INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (purchase, variant)
) STRICT, WITHOUT ROWID;
CREATE INDEX purchase_line_by_variant ON purchase_line (variant);

-- What sales brought in and what the goods had cost, and what was thrown away: from the ledger.
CREATE TABLE goods_out (
  n          INTEGER PRIMARY KEY,            -- the movement's number
  at_ms      INTEGER NOT NULL,
  variant    BLOB NOT NULL,
  wasted     INTEGER NOT NULL,
  amount     INTEGER NOT NULL,
  net        INTEGER NOT NULL,               -- minor units, tax left out
  costed     INTEGER NOT NULL,               -- of how much of the amount the cost is known
  net_costed INTEGER NOT NULL,               -- what that brought in
  cost       INTEGER NOT NULL
) STRICT;
CREATE INDEX goods_out_by_time ON goods_out (at_ms);
