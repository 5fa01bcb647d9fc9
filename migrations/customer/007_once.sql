-- Edits of carts that were made under a key of their sender's, so that none is made twice.
CREATE TABLE edited_once (
  key   BLOB PRIMARY KEY CHECK (length(key) = 32),
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
