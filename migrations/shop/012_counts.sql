-- A stocktake: a time in which people count what lies in one place, while selling goes on.
CREATE TABLE stock_count (
  id        BLOB PRIMARY KEY CHECK (length(id) = 16),
  location  BLOB NOT NULL,
  position  INTEGER NOT NULL,                -- the ledger's number when it began
  opened_ms INTEGER NOT NULL,
  who       BLOB NOT NULL,
  ended_ms  INTEGER
) STRICT, WITHOUT ROWID;

-- What somebody counts, or has counted, with what the ledger said when they looked.
CREATE TABLE stock_count_line (
  count    BLOB NOT NULL REFERENCES stock_count (id),
  variant  BLOB NOT NULL CHECK (length(variant) = 16),
  looked   INTEGER NOT NULL,                 -- the ledger's number then
  book     INTEGER NOT NULL,                 -- on hand by the ledger then
  outside  INTEGER NOT NULL,                 -- of that, on its way to customers then
  counted  INTEGER,                          -- NULL while somebody still counts
  movement INTEGER,
  who      BLOB NOT NULL,
  PRIMARY KEY (count, variant)
) STRICT, WITHOUT ROWID;
