-- From when on a variant is ordered again, and how much of it the shop likes to have.
CREATE TABLE reorder_rule (
  variant BLOB PRIMARY KEY CHECK (length(variant) = 16),
  level   INTEGER NOT NULL,
  up_to   INTEGER NOT NULL CHECK (up_to >= level)
) STRICT, WITHOUT ROWID;

-- Places for stock beside the one from which the shop sells.
CREATE TABLE stock_location (
  id       BLOB PRIMARY KEY CHECK (length(id) = 16),
  name     TEXT NOT NULL COLLATE NOCASE UNIQUE,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
