-- Orders whose stored entries are no longer what was signed, until a customer's copy mends them.
CREATE TABLE damaged_order (
  order_n  INTEGER PRIMARY KEY REFERENCES customer_order (n),
  found_ms INTEGER NOT NULL,
  released INTEGER NOT NULL DEFAULT 0        -- 1: a shortage took of its goods, and it was not told
) STRICT;

-- What was found in the place of an entry when it was mended; empty where nothing was.
CREATE TABLE damaged_entry (
  order_n   INTEGER NOT NULL REFERENCES customer_order (n),
  seq       INTEGER NOT NULL,
  mended_ms INTEGER NOT NULL,
  bytes     BLOB NOT NULL,
  PRIMARY KEY (order_n, seq, mended_ms)
) STRICT, WITHOUT ROWID;
