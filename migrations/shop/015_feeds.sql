-- Suppliers' lists that are fetched from the web on a schedule.
CREATE TABLE feed (
  id       BLOB PRIMARY KEY CHECK (length(id) = 16),
  name     TEXT NOT NULL COLLATE NOCASE UNIQUE,
  address  BLOB NOT NULL,                    -- sealed: where, and by what secret
  terms    TEXT NOT NULL,                    -- JSON: how the file is read, and how often it is fetched
  state    TEXT NOT NULL,                    -- JSON: what came of it, and what the server said of it
  next_ms  INTEGER NOT NULL,                 -- when it is fetched next
  import   BLOB CHECK (length(import) = 16)  -- which import takes it in, or did last
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_by_next ON feed (next_ms);
CREATE INDEX feed_by_import ON feed (import) WHERE import IS NOT NULL;

-- Which products a feed listed, and in which of its imports it did last.
CREATE TABLE feed_product (
  feed    BLOB NOT NULL REFERENCES feed (id) ON DELETE CASCADE,
  product BLOB NOT NULL CHECK (length(product) = 16),
  import  BLOB NOT NULL,
  PRIMARY KEY (feed, product)
) STRICT, WITHOUT ROWID;
