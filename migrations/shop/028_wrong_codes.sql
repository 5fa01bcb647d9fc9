-- Codes that were told wrongly when an order's goods changed hands: after some only the shop's staff hand
-- them over.
CREATE TABLE wrong_code (
  order_n  INTEGER PRIMARY KEY REFERENCES customer_order (n),
  count    INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL
) STRICT;

-- Who was forgotten, by names that say nothing of anybody: also in `erased.txt`, so that an older copy of
-- this database brings nobody back.
CREATE TABLE erased (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
